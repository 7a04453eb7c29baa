import { describe, expect, test } from "vitest";
import { initialState, type SessionState } from "../src/client/state.ts";
import { Book, type Entry, HISTORY_LENGTH } from "../src/market/book.ts";
import { History } from "../src/market/history.ts";
import { shown, tally } from "../src/market/trust.ts";
import { meaning } from "../src/ui/meaning.ts";
import { CONFIG, quote } from "./support.ts";

describe("book", () => {
  test("takes only what is newer: sequence within an epoch, any sequence in a greater one", () => {
    const book = new Book();
    book.watch(["A"]);
    expect(book.apply(quote("A", 5), 1)).toBe(true);
    expect(book.apply(quote("A", 5, { bidPrice: 9 }), 2)).toBe(false);
    expect(book.apply(quote("A", 4), 3)).toBe(false);
    expect(book.apply(quote("A", 6), 4)).toBe(true);
    expect(book.apply(quote("A", 1, { epoch: 2 }), 5)).toBe(true);
    expect(book.apply(quote("A", 99), 6)).toBe(false);
    expect(book.get("A")?.quote).toMatchObject({ epoch: 2, sequence: 1 });
    expect(book.dropped).toBe(3);
  });

  test("the same update again confirms the quote, an older one does not", () => {
    const book = new Book();
    book.watch(["A"]);
    book.apply(quote("A", 5), 1);
    book.apply(quote("A", 5), 7);
    book.apply(quote("A", 4), 9);
    expect(book.get("A")?.confirmedAt).toBe(7);
  });

  test("knows nothing of symbols that are not watched", () => {
    const book = new Book();
    expect(book.apply(quote("A", 1), 1)).toBe(false);
    book.watch(["A"]);
    book.apply(quote("A", 1), 1);
    book.watch([]);
    expect(book.get("A")).toBeUndefined();
  });

  test("remembers trades, not changes of bid or ask", () => {
    const book = new Book();
    book.watch(["A"]);
    const traded = { lastTradePrice: 10, volume: 100, lastTradeTime: "t1" };
    book.apply(quote("A", 1, traded), 1);
    book.apply(quote("A", 2, { ...traded, bidPrice: 9 }), 1);
    book.apply(quote("A", 3, { ...traded, volume: 200 }), 1);
    book.apply(quote("A", 4, { ...traded, volume: 200, lastTradePrice: 11 }), 1);
    book.apply(quote("A", 5, { lastTradePrice: null }), 1);
    expect(book.get("A")?.trades.values()).toEqual([10, 10, 11]);
  });
});

test("history keeps the last of its capacity, oldest first", () => {
  const history = new History(3);
  expect(history.values()).toEqual([]);
  for (const price of [1, 2, 3, 4, 5]) history.push(price);
  expect(history.values()).toEqual([3, 4, 5]);
  expect(HISTORY_LENGTH).toBeGreaterThan(50);
});

describe("what a row may claim", () => {
  const entry = (freshness: string, confirmedAt: number): Entry => ({
    quote: quote("A", 1, { freshness }),
    trades: new History(1),
    confirmedAt,
  });
  const at = (change: Partial<SessionState>): SessionState => ({ ...initialState("ws", 0), ...change });
  const ready = at({ phase: "ready", linkedAt: 100 });
  const polling = at({ phase: "waiting", failures: CONFIG.maxAttempts + 1 });

  test.each(["live", "quiet", "stale", "halted", "closed", "recovering"])(
    "connected: the gateway's word %s",
    (word) => {
      expect(shown("A", entry(word, 100), ready, CONFIG, 200)).toBe(word);
    },
  );

  test("a word that is not known is not trusted", () => {
    expect(shown("A", entry("splendid", 100), ready, CONFIG, 200)).toBe("stale");
  });

  test("a quote from before this connection is not live until it is confirmed", () => {
    expect(shown("A", entry("live", 99), ready, CONFIG, 200)).toBe("recovering");
  });

  test.each(["stopped", "identifying", "opening", "greeting", "checking", "waiting", "refused"] as const)(
    "%s: stale, whatever was said before",
    (phase) => {
      for (const word of ["live", "quiet", "closed", "halted"]) {
        expect(shown("A", entry(word, 100), at({ phase, linkedAt: 100 }), CONFIG, 200)).toBe("stale");
      }
    },
  );

  test("degraded: polled, until the answer is two intervals old or polling fails", () => {
    expect(shown("A", entry("live", 1_000), polling, CONFIG, 2_000)).toBe("polled");
    expect(shown("A", entry("closed", 1_000), polling, CONFIG, 2_000)).toBe("closed");
    expect(shown("A", entry("live", 1_000), polling, CONFIG, 1_001 + 2 * CONFIG.pollingIntervalMs)).toBe("stale");
    expect(shown("A", entry("live", 1_000), { ...polling, pollFailure: "no" }, CONFIG, 2_000)).toBe("stale");
  });

  test("nothing known, and refused", () => {
    expect(shown("A", undefined, ready, CONFIG, 200)).toBe("waiting");
    const refused = new Map([["A", { code: "unknown_symbol", reason: "no", retryable: false }]]);
    expect(shown("A", undefined, { ...ready, refused }, CONFIG, 200)).toBe("refused");
  });
});

test("rows are counted by what is not live about them, each once", () => {
  const rows = (
    [
      ["live", "stream"],
      ["stale", "stream"],
      ["stale", "poll"],
      ["recovering", "stream"],
      ["recovering", "poll"],
      ["polled", "stream"],
      ["closed", "poll"],
      ["waiting", undefined],
    ] as const
  ).map(([shown, source]) => ({ shown, source }));
  expect(tally(rows)).toEqual({ stale: 2, recovering: 1, polled: 2 });
});

describe("the tooltip of a row", () => {
  const since = new Date(2026, 0, 5, 9, 31, 7).getTime();

  test("says what the word means, since when, and when data last came where they are not current", () => {
    const row = { since, receivedAt: since - 5_000, source: "stream" } as const;
    expect(meaning({ ...row, shown: "stale" })).toBe(
      "stale since 09:31:07: the last value known; it may be out of date; last data at 09:31:02",
    );
    expect(meaning({ ...row, shown: "live" })).toBe("live since 09:31:07: the quote is current");
    expect(meaning({ since, shown: "waiting", source: undefined, receivedAt: undefined })).toMatch(/^waiting since/);
  });

  test("tells polled by the gateway from repaired", () => {
    const row = { since, receivedAt: since, shown: "recovering" } as const;
    expect(meaning({ ...row, source: "poll" })).toContain("the gateway asks at intervals");
    expect(meaning({ ...row, source: "stream" })).toContain("is being repaired");
  });
});
