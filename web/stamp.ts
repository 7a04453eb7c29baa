/**
 * The fingerprint of what a build is made from, so that a test without Node can tell whether the shipped build is today's.
 *
 * The same sum is computed by tests/unit/edge/test_web_build.py: for each source, sorted by path, the line
 * `<path> <sha256 of its text with LF line ends>`; then the sha256 of those lines.
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const SINGLE = ["index.html", "package-lock.json", "package.json", "stamp.ts", "tsconfig.json", "vite.config.ts"];
const FOLDERS = ["src"];

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Every file the build reads, as paths relative to `root` with forward slashes, sorted by code unit. */
export function sources(root: string): string[] {
  const found = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(root.length + 1)
          .replaceAll("\\", "/"),
      ),
  );
  return [...SINGLE, ...found].sort();
}

/** One sum over all sources. */
export function fingerprint(root: string): string {
  const lines = sources(root).map((path) => {
    const text = readFileSync(join(root, path), "utf8").replaceAll("\r\n", "\n");
    return `${path} ${sha256(text)}\n`;
  });
  return sha256(lines.join(""));
}

/** Writes `build.json` beside the page: the sources' sum, and the sum of each file made from them. */
export function stamp(root: string): Plugin {
  return {
    name: "quotewire-stamp",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const files: Record<string, string> = {};
      for (const name of Object.keys(bundle).sort()) {
        const file = bundle[name];
        if (file) files[name] = sha256(file.type === "asset" ? file.source : file.code);
      }
      const source = `${JSON.stringify({ sources: fingerprint(root), files }, null, 2)}\n`;
      this.emitFile({ type: "asset", fileName: "build.json", source });
    },
  };
}
