import { defineConfig } from "vitest/config";
import { stamp } from "./stamp.ts";

const GATEWAY = "http://127.0.0.1:4005";

// "shipped" is the build inside the Python package: it must not depend on whose machine made it, so it reads no
// environment. `npm run build:site` makes one for another host, from .env.production.
export default defineConfig(({ mode }) => ({
  base: "./",
  ...(mode === "shipped" ? { envDir: false as const, envPrefix: "NOTHING_IS_READ_" } : {}),
  build: {
    target: "es2022",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
    sourcemap: false,
  },
  plugins: [stamp(import.meta.dirname)],
  server: {
    proxy: {
      "/api": { target: GATEWAY },
      "/api-auth": { target: GATEWAY },
      "/api-market": { target: GATEWAY },
      "/ws": { target: GATEWAY, ws: true },
    },
  },
  test: { include: ["test/**/*.test.ts"] },
}));
