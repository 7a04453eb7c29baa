/**
 * The page's settings, the VITE_* variables. All addresses derive from one base URL; without one, from where the page
 * itself came from. Read from `window.QUOTEWIRE_ENV` (set by whoever serves the page), then from the build.
 */

import type { SessionConfig } from "./client/state.ts";

export type Environment = Readonly<Record<string, unknown>>;

export interface Config {
  /** Without a slash at the end. */
  readonly apiBase: string;
  readonly socketUrl: string;
  readonly session: SessionConfig;
}

/** A variable holds something it cannot; the message names it and says what it accepts. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

const DEVELOPMENT_ATTEMPTS = 5;
const PRODUCTION_ATTEMPTS = 10;

function text(env: Environment, name: string): string {
  const value = env[name];
  return value === undefined || value === null ? "" : String(value).trim();
}

function integer(env: Environment, name: string, fallback: number, low: number, high: number): number {
  const given = text(env, name);
  if (given === "") return fallback;
  const value = Number(given);
  if (/^\d+$/.test(given) && value >= low && value <= high) return value;
  throw new ConfigError(`${name}: "${given}" is not valid; it accepts a whole number, ${low} to ${high}`);
}

function flag(env: Environment, name: string, fallback: boolean): boolean {
  const given = text(env, name).toLowerCase();
  if (given === "") return fallback;
  if (["true", "1", "yes"].includes(given)) return true;
  if (["false", "0", "no"].includes(given)) return false;
  throw new ConfigError(`${name}: "${given}" is not valid; it accepts true or false`);
}

function baseUrl(env: Environment, name: string, schemes: readonly string[], fallback: string): string {
  const given = text(env, name);
  const problem = `${name}: "${given}" is not valid; it accepts a URL that starts with ${schemes.join(" or ")}`;
  if (given !== "" && !URL.canParse(given)) throw new ConfigError(problem);
  const url = new URL(given || fallback);
  if (!schemes.includes(`${url.protocol}//`) || url.search || url.hash || url.username) throw new ConfigError(problem);
  return url.href.replace(/\/+$/, "");
}

/** `page` is the document's base URL; `development` picks the default number of attempts. */
export function readConfig(env: Environment, page: string, development: boolean, clientVersion: string): Config {
  const here = new URL(".", page).href;
  const apiBase = baseUrl(env, "VITE_API_BASE_URL", ["http://", "https://"], here);
  const socketBase = baseUrl(env, "VITE_WS_BASE_URL", ["ws://", "wss://", "http://", "https://"], apiBase);
  const attempts = development ? DEVELOPMENT_ATTEMPTS : PRODUCTION_ATTEMPTS;
  return {
    apiBase,
    socketUrl: `${socketBase.replace(/^http/, "ws")}/ws`,
    session: {
      baseDelayMs: 5_000,
      maxDelayMs: integer(env, "VITE_WS_RECONNECT_TIMEOUT", 120_000, 100, 3_600_000),
      maxAttempts: integer(env, "VITE_WS_RECONNECT_MAX_ATTEMPTS", attempts, 0, 1000),
      polling: flag(env, "VITE_ENABLE_POLLING_FALLBACK", true),
      pollingIntervalMs: integer(env, "VITE_POLLING_INTERVAL", 30_000, 250, 3_600_000),
      upgradeTimeoutMs: 5_000,
      authTimeoutMs: 10_000,
      silenceMs: 10_000,
      pongTimeoutMs: 5_000,
      clientVersion,
    },
  };
}
