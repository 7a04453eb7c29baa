import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ASK_EVERY_MS, UpstreamWatch } from "../src/app/upstream-watch.ts";
import { Api } from "../src/client/api.ts";
import { reasonText } from "../src/upstream/reasons.ts";
import { type Person, parseReport, type UpstreamReport } from "../src/upstream/report.ts";
import {
  breakerLine,
  budgetHour,
  budgetSecond,
  headline,
  share,
  streamLine,
  tokenLine,
} from "../src/upstream/words.ts";

const BUDGET = {
  usedSecond: 3,
  perSecond: 20,
  usedHour: 100,
  leftHour: 14_000,
  perHour: 15_000,
  blockedForS: 0,
};
const ALICE = {
  name: "alice",
  isActive: true,
  tokenState: "fresh",
  tokenAgeS: 125.5,
  expiresAt: 1_800_000,
  apiServer: "https://api01.example.com/",
  lastError: "",
  budgets: { market: BUDGET },
  breakers: { time: "closed", quotes: "open", symbols: "closed" },
  stream: { state: "connected", link: "live", reason: "authenticated", attempt: 0, symbolCount: 4, quality: "good" },
  symbolCount: 4,
};
const STATE = { state: "connected", reason: "streaming", since: 5, person: "alice" };
const EVENT = { at: 12.5, event: "token", reason: "startup", person: "alice", detail: "it was refreshed" };
const ANSWER = { state: STATE, persons: [ALICE], polled: 2, lingering: 0, last: [EVENT] };

const only = (change: object): Person => {
  const [person] = parseReport({ ...ANSWER, persons: [{ ...ALICE, ...change }] }).persons;
  if (!person) throw new Error("the report lost its person");
  return person;
};

describe("reading the report", () => {
  test("takes over what it knows", () => {
    const report = parseReport(ANSWER);
    expect(report).toMatchObject({ state: "connected", reason: "streaming", polled: 2 });
    expect(report.persons[0]).toMatchObject({ name: "alice", tokenAgeS: 125.5, needsOperator: false, symbolCount: 4 });
    expect(report.last).toEqual([{ ...EVENT, at: 12_500 }]);
  });

  test("takes over nothing else, so that no secret can reach the page's memory by this way", () => {
    const leaky = { ...ANSWER, refreshToken: "s3cret", persons: [{ ...ALICE, accessToken: "s3cret" }] };
    expect(JSON.stringify(parseReport(leaky))).not.toContain("s3cret");
  });

  test.each([null, 7, "x", [], {}, { persons: 3, last: {} }, { persons: [null, 1, []], last: [null], state: 4 }])(
    "makes something of %j",
    (answer) => {
      const report = parseReport(answer);
      expect(report.state).toBe("unknown");
      for (const person of report.persons) {
        expect([tokenLine(person, 0), streamLine(person), breakerLine(person)]).toEqual(["unknown", "–", "–"]);
      }
    },
  );

  test("keeps a bounded list of events and persons", () => {
    const report = parseReport({ persons: Array(1000).fill(ALICE), last: Array(1000).fill(EVENT) });
    expect([report.persons.length, report.last.length]).toEqual([100, 50]);
  });

  test("Questrade's own count of the hour goes before the gateway's", () => {
    expect(only({}).budgets[0]?.usedHour).toBe(1_000);
    expect(only({ budgets: { market: { ...BUDGET, leftHour: null } } }).budgets[0]?.usedHour).toBe(100);
  });

  test.each([
    [{ tokenState: "revoked", isActive: false }, true],
    [{ tokenState: "spent-unknown", isActive: false }, true],
    [{ tokenState: "spent-unknown", isActive: false, needsOperator: false }, false],
    [{ tokenState: "expiring", isActive: false }, false],
    [{ tokenState: "expiring", isActive: false, needsOperator: true }, true],
  ])("%j: needs the operator: %s", (change, needs) => {
    expect(only(change).needsOperator).toBe(needs);
  });
});

describe("what the panel says", () => {
  test("of a token", () => {
    expect(tokenLine(only({}), 600_000)).toBe("fresh, made 2 min ago, valid for 20 min");
    expect(tokenLine(only({}), 1_860_000)).toBe("fresh, made 2 min ago, expired 1 min ago");
    expect(tokenLine(only({ tokenState: "revoked", isActive: false }), 0)).toBe("revoked, made 2 min ago");
    expect(tokenLine(only({ tokenState: "spent-unknown", tokenAgeS: null, expiresAt: null }), 0)).toBe("spent unknown");
  });

  test("of a stream", () => {
    expect(streamLine(only({}))).toBe("connected (live); Questrade accepted the token");
    const waiting = { state: "connecting", link: "waiting", reason: "closed_by_peer", attempt: 2 };
    expect(streamLine(only({ stream: waiting, nextAttemptInS: 4.2 }))).toBe(
      "connecting (waiting); attempt 2; next in 5 s; Questrade closed the stream",
    );
    expect(streamLine(only({ stream: { state: "disconnected", link: "idle", reason: "none" } }))).toBe(
      "disconnected (idle)",
    );
  });

  test("of budgets and breakers", () => {
    const { budgets } = only({ budgets: { market: { ...BUDGET, blockedForS: 1.2 } } });
    expect(budgets.map(budgetSecond)).toEqual(["3 of 20 / s"]);
    expect(budgets.map(budgetHour)).toEqual(["1,000 of 15,000 / h, blocked for 2 s"]);
    expect(breakerLine(only({}))).toBe("open: quotes; closed: time, symbols");
    expect([share(5, 20), share(30, 20), share(1, 0), share(-1, 20)]).toEqual([0.25, 1, 0, 0]);
  });

  test("of the whole", () => {
    const line = headline(parseReport(ANSWER), 0);
    expect(line).toContain(
      "connected: quotes come over live streams; 1 of 1 login works; 2 symbols asked for at intervals",
    );
  });
});

test("a reason has a sentence, by event where it differs; a code that is not known stands for itself", () => {
  expect(reasonText("streaming")).toBe("quotes come over live streams");
  expect(reasonText("idle")).not.toBe(reasonText("idle", "token"));
  expect(reasonText("startup", "token")).toBe(reasonText("startup"));
  expect(reasonText("something_new", "stream")).toBe("something_new");
  expect(reasonText("constructor")).toBe("constructor");
});

describe("asking", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function rig() {
    const seen: (UpstreamReport | string)[] = [];
    const signals: AbortSignal[] = [];
    const answers: (() => Promise<UpstreamReport>)[] = [];
    const watch = new UpstreamWatch({
      ask: (signal) => {
        signals.push(signal);
        return (answers.shift() ?? (async () => parseReport(ANSWER)))();
      },
      onReport: (report) => seen.push(report),
      onFailure: (message) => seen.push(message),
    });
    return { watch, seen, signals, answers };
  }

  test("at once and then every few seconds, only while looked at", async () => {
    const { watch, seen } = rig();
    watch.look(true);
    watch.look(true);
    await vi.advanceTimersByTimeAsync(2 * ASK_EVERY_MS);
    expect(seen).toHaveLength(3);
    watch.look(false);
    await vi.advanceTimersByTimeAsync(10 * ASK_EVERY_MS);
    expect(seen).toHaveLength(3);
    expect(vi.getTimerCount()).toBe(0);
    watch.look(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toHaveLength(4);
  });

  test("goes on after a failure, which it tells", async () => {
    const { watch, seen, answers } = rig();
    answers.push(() => Promise.reject(new Error("the gateway cannot be reached")));
    watch.look(true);
    await vi.advanceTimersByTimeAsync(ASK_EVERY_MS);
    expect(seen).toEqual(["the gateway cannot be reached", parseReport(ANSWER)]);
  });

  test("an answer that comes after nobody looks any more is not shown", async () => {
    const { watch, seen, signals, answers } = rig();
    answers.push(() => new Promise((done) => setTimeout(() => done(parseReport(ANSWER)), 50)));
    watch.look(true);
    watch.look(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(signals[0]?.aborted).toBe(true);
    expect(seen).toEqual([]);
  });
});

describe("handing metrics in", () => {
  const METRICS = { connectionId: "ws-1-a", connectionsAttempted: 1 } as Parameters<Api["report"]>[0];

  function rig(taken: boolean) {
    const calls: string[] = [];
    const fetcher = async (url: string, init: RequestInit): Promise<Response> => {
      calls.push(`fetch ${url} ${String(init.body)}`);
      throw new TypeError("failed to fetch");
    };
    const api = new Api("http://gw", fetcher, (url, text) => {
      calls.push(`beacon ${url} ${text}`);
      return taken;
    });
    return { api, calls };
  }
  const where = "http://gw/api/metrics/websocket";
  const body = JSON.stringify(METRICS);

  test("by an ordinary call while the page stays, and a failure is nobody's trouble", async () => {
    const { api, calls } = rig(true);
    api.report(METRICS, false);
    await Promise.resolve();
    expect(calls).toEqual([`fetch ${where} ${body}`]);
  });

  test("by a beacon when it is left, or by a call when the browser takes none", () => {
    const { api, calls } = rig(true);
    api.report(METRICS, true);
    expect(calls).toEqual([`beacon ${where} ${body}`]);
    const second = rig(false);
    second.api.report(METRICS, true);
    expect(second.calls).toEqual([`beacon ${where} ${body}`, `fetch ${where} ${body}`]);
  });
});
