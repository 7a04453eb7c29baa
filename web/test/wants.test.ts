import { describe, expect, test } from "vitest";
import { Walk, welcome } from "./support.ts";

const requestIdOf = (walk: Walk): string => {
  const message = walk.sent.find((sent) => sent.type === "subscribe");
  if (message?.type !== "subscribe") throw new Error("nothing was subscribed");
  return message.requestId;
};

const want = (...symbols: string[]) => ({ type: "want", symbols }) as const;

describe("subscriptions", () => {
  test("only the difference is sent", () => {
    const walk = new Walk().toReady(["A", "B"]);
    walk.acknowledge(
      [
        { ok: true, symbol: "A" },
        { ok: true, symbol: "B" },
      ],
      requestIdOf(walk),
    );
    walk.feed(want("B", "C"));
    expect(walk.sent).toMatchObject([
      { type: "unsubscribe", symbols: ["A"] },
      { type: "subscribe", symbols: ["C"] },
    ]);
  });

  test("request ids have a kind, a time and chance", () => {
    expect(requestIdOf(new Walk().toReady())).toMatch(/^sub-1000-[0-9a-z]{9}$/);
  });

  test("a long list goes out in several commands", () => {
    const symbols = Array.from({ length: 450 }, (_, i) => `S${i}`);
    const walk = new Walk().toReady(symbols);
    const sizes = walk.sent.flatMap((message) => (message.type === "subscribe" ? [message.symbols.length] : []));
    expect(sizes).toEqual([200, 200, 50]);
  });

  test("what is refused is kept with its reason, and asked for again only when that may help", () => {
    const walk = new Walk().toReady(["A", "NOPE", "LATER"]);
    walk.acknowledge(
      [
        { ok: true, symbol: "A" },
        { ok: false, symbol: "NOPE", code: "unknown_symbol", reason: "no such symbol" },
        { ok: false, symbol: "LATER", code: "upstream_unavailable", reason: "not now", retryable: true },
      ],
      requestIdOf(walk),
    );
    expect([...walk.state.accepted]).toEqual(["A"]);
    expect(walk.state.refused.get("NOPE")).toEqual({
      code: "unknown_symbol",
      reason: "no such symbol",
      retryable: false,
    });
    expect(walk.armed("resubscribe")).toBe(30_000);
    walk.feed({ type: "timer", timer: "resubscribe" });
    expect(walk.sent).toMatchObject([{ type: "subscribe", symbols: ["LATER"] }]);
  });

  test("an error in answer to a subscribe refuses each of its symbols", () => {
    const walk = new Walk().toReady(["A", "B"]);
    walk.hear({ type: "error", code: "too_many_symbols", message: "at most 1", requestId: requestIdOf(walk) });
    expect([...walk.state.refused.keys()]).toEqual(["A", "B"]);
    expect(walk.state.pending.size).toBe(0);
  });

  test("a symbol removed before its acknowledgement and added again is asked for again", () => {
    const walk = new Walk().toReady(["A"]);
    const first = requestIdOf(walk);
    walk.feed(want());
    expect(walk.sent).toMatchObject([{ type: "unsubscribe", symbols: ["A"] }]);
    walk.acknowledge([{ ok: true, symbol: "A" }], first);
    expect(walk.state.accepted.size).toBe(0);
    walk.feed(want("A"));
    expect(walk.sent).toMatchObject([{ type: "subscribe", symbols: ["A"] }]);
  });

  test("without a link a change is only noted, and sent with the next", () => {
    const walk = new Walk().toOpening(["A"]).feed(want("A", "B"));
    expect(walk.effects).toEqual([]);
    walk.feed({ type: "opened" });
    walk.hear(welcome());
    expect(walk.sent[0]).toMatchObject({ type: "subscribe", symbols: ["A", "B"] });
  });
});
