import { describe, expect, test } from "vitest";
import { explain, verdict } from "../src/client/closes.ts";
import { decode } from "../src/client/protocol.ts";
import { quote, welcome } from "./support.ts";

describe("decode", () => {
  test.each([
    welcome(),
    { type: "subscribed", results: [{ ok: true, symbol: "A" }] },
    { type: "snapshot", quotes: [quote("A", 1)] },
    { type: "quotes", quotes: [quote("A", 1, { bidPrice: null })], skipped: 3 },
    { type: "status", upstream: { state: "degraded", reason: "polling", since: 1 } },
    { type: "pong", serverTime: 1, timestamp: 2 },
    { type: "error", code: "invalid_message", message: "no" },
  ])("reads $type", (message) => {
    expect(decode(JSON.stringify(message))).toEqual(message);
  });

  test("keeps keys it does not know and passes over types it does not know", () => {
    expect(decode('{"type":"pong","serverTime":1,"new":true}')).toMatchObject({ type: "pong", new: true });
    expect(decode('{"type":"gossip"}')).toBe("unknown");
    expect(decode('{"type":"toString"}')).toBe("unknown");
  });

  test.each([
    "",
    "{",
    "null",
    "[]",
    "7",
    "{}",
    '{"type":1}',
    '{"type":"pong"}',
    '{"type":"quotes","quotes":[{}]}',
    '{"type":"quotes","quotes":{}}',
  ])("calls %s malformed", (text) => {
    expect(decode(text)).toBe("malformed");
  });
});

describe("close codes", () => {
  test.each([
    [1000, "stay-away"],
    [1001, "reconnect"],
    [1003, "stay-away"],
    [1005, "reconnect"],
    [1006, "reconnect"],
    [1009, "stay-away"],
    [1011, "reconnect"],
    [1012, "reconnect"],
    [4001, "new-token"],
    [4002, "reconnect"],
    [4499, "reconnect"],
    [4500, "stay-away"],
    [4999, "stay-away"],
  ] as const)("%i: %s", (code, expected) => {
    expect(verdict(code)).toBe(expected);
  });

  test("every close has a reason to show", () => {
    expect(explain(1006, "")).toBe("the connection was lost");
    expect(explain(4321, "said so")).toBe("said so");
    expect(explain(4321, "")).toBe("the connection was closed with code 4321");
  });
});
