import { describe, expect, test } from "vitest";
import { backoff } from "../src/client/backoff.ts";
import { ConfigError, readConfig } from "../src/config.ts";

const read = (env: Record<string, unknown> = {}, page = "http://127.0.0.1:4005/", development = false) =>
  readConfig(env, page, development, "test/1");

describe("addresses", () => {
  test("all derive from where the page came from", () => {
    expect(read()).toMatchObject({ apiBase: "http://127.0.0.1:4005", socketUrl: "ws://127.0.0.1:4005/ws" });
    const proxied = read({}, "https://example.com/quotes/index.html");
    expect(proxied).toMatchObject({ apiBase: "https://example.com/quotes", socketUrl: "wss://example.com/quotes/ws" });
  });

  test("the socket follows the API unless it has its own", () => {
    const api = { VITE_API_BASE_URL: "https://api.example.com/" };
    expect(read(api)).toMatchObject({ apiBase: "https://api.example.com", socketUrl: "wss://api.example.com/ws" });
    const both = { ...api, VITE_WS_BASE_URL: "wss://ws.example.com" };
    expect(read(both).socketUrl).toBe("wss://ws.example.com/ws");
  });
});

test("the number of attempts depends on the environment", () => {
  expect(read().session.maxAttempts).toBe(10);
  expect(read({}, "http://127.0.0.1/", true).session.maxAttempts).toBe(5);
  expect(read({ VITE_WS_RECONNECT_MAX_ATTEMPTS: "3" }).session.maxAttempts).toBe(3);
});

test("every variable is honoured", () => {
  const { session } = read({
    VITE_WS_RECONNECT_TIMEOUT: 60_000,
    VITE_ENABLE_POLLING_FALLBACK: "false",
    VITE_POLLING_INTERVAL: "1000",
  });
  expect(session).toMatchObject({ maxDelayMs: 60_000, polling: false, pollingIntervalMs: 1_000 });
});

test.each([
  ["VITE_API_BASE_URL", "example.com"],
  ["VITE_API_BASE_URL", "javascript:alert(1)"],
  ["VITE_WS_BASE_URL", "ftp://example.com"],
  ["VITE_WS_RECONNECT_MAX_ATTEMPTS", "-1"],
  ["VITE_WS_RECONNECT_TIMEOUT", "5s"],
  ["VITE_ENABLE_POLLING_FALLBACK", "maybe"],
  ["VITE_POLLING_INTERVAL", "1"],
])("%s=%s is refused by name", (name, value) => {
  expect(() => read({ [name]: value })).toThrow(ConfigError);
  expect(() => read({ [name]: value })).toThrow(name);
});

test("back-off is jittered between a half and the whole", () => {
  const plan = { baseDelayMs: 5_000, maxDelayMs: 120_000 };
  expect(backoff(1, plan, () => 0)).toBe(2_500);
  expect(backoff(3, plan, () => 0.5)).toBe(15_000);
  expect(backoff(1_000, plan, () => 0)).toBe(60_000);
});
