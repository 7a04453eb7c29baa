import { describe, expect, test } from "vitest";
import { Directory } from "../src/app/directory.ts";
import { WATCHLIST_KEY, WatchList } from "../src/app/watchlist.ts";
import { Api } from "../src/client/api.ts";
import { initialState } from "../src/client/state.ts";
import { describe as explain, describeTally } from "../src/ui/header.ts";
import { CONFIG } from "./support.ts";

function storage(content?: string) {
  const kept = new Map(content === undefined ? [] : [[WATCHLIST_KEY, content]]);
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
}

describe("watch list", () => {
  test("has symbols on a first visit", () => {
    expect(new WatchList(storage()).symbols).toContain("SHOP.TO");
  });

  test.each(["{", "7", "{}"])("starts anew when what is stored is %s", (content) => {
    expect(new WatchList(storage(content)).symbols).toContain("AAPL");
  });

  test("keeps what is stored, without nonsense and repetition", () => {
    expect(new WatchList(storage('["A","A",7,"","B"]')).symbols).toEqual(["A", "B"]);
    expect(new WatchList(storage("[]")).symbols).toEqual([]);
  });

  test("adds once, removes, and remembers", () => {
    const kept = storage('["A"]');
    const list = new WatchList(kept);
    list.add("B");
    list.add("B");
    list.remove("A");
    expect(new WatchList(kept).symbols).toEqual(["B"]);
  });

  test("goes on when the browser keeps nothing", () => {
    const refusing = {
      getItem: () => "[]",
      setItem: () => {
        throw new Error("quota");
      },
    };
    const list = new WatchList(refusing);
    list.add("A");
    expect(list.symbols).toEqual(["A"]);
  });
});

test("the directory asks once, again after a failure, and again after a quarter of an hour", async () => {
  const asked: string[][] = [];
  let broken = true;
  const api = new Api("", async (_url, init) => {
    const { symbols } = JSON.parse(String(init.body)) as { symbols: string[] };
    asked.push(symbols);
    if (broken) throw new TypeError("failed to fetch");
    const data = Object.fromEntries(symbols.map((symbol) => [symbol, { symbol, symbolId: 1, prevDayClosePrice: 10 }]));
    return new Response(JSON.stringify({ success: true, data }));
  });
  const directory = new Directory(api, () => {});
  await directory.refresh(["A", "B"], 0);
  broken = false;
  await directory.refresh(["A", "B"], 1);
  await directory.refresh(["A", "B", "C"], 2);
  await directory.refresh(["A"], 900_001);
  expect(asked).toEqual([["A", "B"], ["A", "B"], ["C"], ["A"]]);
  expect(directory.get("A")?.prevDayClosePrice).toBe(10);
});

describe("the line under the header", () => {
  const state = initialState("ws", 0);

  test("counts down to the next attempt", () => {
    const waiting = {
      ...state,
      phase: "waiting",
      reason: "the gateway is stopping",
      failures: 1,
      retryAt: 4_200,
    } as const;
    expect(explain(waiting, CONFIG, 1_000)).toBe("the gateway is stopping; next attempt in 4 s (1 of 2)");
  });

  test("says that it polls", () => {
    const polling = { ...state, phase: "waiting", reason: "no way", failures: 3, retryAt: 1_000 } as const;
    expect(explain(polling, CONFIG, 0)).toBe("no way; asking every 30 s meanwhile; next attempt in 1 s");
  });

  test("passes on what is wrong upstream", () => {
    const upstream = { state: "degraded", reason: "polling", since: 0 };
    const told = explain({ ...state, phase: "ready", upstream }, CONFIG, 0);
    expect(told).toBe("no stream for some symbols; they are asked for at intervals");
  });

  test("says the code of a reason it does not know, and since when it stands", () => {
    const upstream = { state: "error", reason: "a_newer_reason", since: 1_000 };
    expect(explain({ ...state, phase: "ready", upstream }, CONFIG, 0)).toMatch(/^a_newer_reason, since \d\d:\d\d:01$/);
  });

  test("names how many rows are not live, and only then", () => {
    expect(describeTally({ stale: 0, recovering: 0, polled: 0 })).toBe("");
    expect(describeTally({ stale: 2, recovering: 0, polled: 1 })).toBe("2 stale, 1 polled");
  });
});
