/** The page's start: read the settings, then run; a setting that cannot be is said instead of a page that half works. */

import { version } from "../package.json";
import { App } from "./app/app.ts";
import { ConfigError, type Environment, readConfig } from "./config.ts";
import { find } from "./ui/dom.ts";

declare global {
  interface Window {
    /** VITE_* variables set by whoever serves the page; they go before those of the build. */
    readonly QUOTEWIRE_ENV?: Environment;
  }
}

try {
  const environment = { ...import.meta.env, ...window.QUOTEWIRE_ENV };
  const client = `quotewire-dashboard/${version}`;
  new App(readConfig(environment, document.baseURI, import.meta.env.DEV, client)).start();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  find("#reason").textContent = error.message;
}
