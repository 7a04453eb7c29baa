import { describe, expect, test } from "vitest";
import { IllegalTransition } from "../src/client/session.ts";
import { quote, Walk, welcome } from "./support.ts";

describe("connecting", () => {
  test("asks for persons, then a token, then opens, greets, subscribes and pings", () => {
    const walk = new Walk().feed({ type: "want", symbols: ["AAPL", "RY.TO"] }, { type: "start" });
    expect(walk.effects.map((effect) => effect.type)).toEqual(["hangUp", "fetchPersons", "arm"]);
    expect(walk.status).toBe("connecting");

    walk.feed({ type: "persons", names: ["alice"] });
    expect(walk.effects).toEqual([{ type: "fetchToken", person: "alice", refresh: false }]);

    walk.feed({ type: "token", token: "t1" });
    expect(walk.of("open")).toEqual([{ type: "open", connectionId: "ws-1-aaaaaaaaa" }]);
    expect(walk.armed("upgrade")).toBe(5_000);

    walk.feed({ type: "opened" });
    expect(walk.sent[0]).toMatchObject({ type: "hello", token: "t1", protocol: 1, connectionId: "ws-1-aaaaaaaaa" });
    expect(walk.armed("auth")).toBe(10_000);

    walk.hear(welcome());
    expect(walk.status).toBe("connected");
    expect(walk.sent.map((message) => message.type)).toEqual(["subscribe", "ping"]);
    expect(walk.sent[0]).toMatchObject({ symbols: ["AAPL", "RY.TO"] });
  });

  test("tries the next person when one has no token, and waits longer after each 429", () => {
    const walk = new Walk().feed({ type: "start" }, { type: "persons", names: ["alice", "bob", "carol"] });
    walk.feed({ type: "tokenFailed", message: "HTTP 503", rateLimited: false });
    expect(walk.armed("person")).toBe(0);
    walk.feed({ type: "timer", timer: "person" });
    expect(walk.of("fetchToken")[0]?.person).toBe("bob");
    walk.feed({ type: "tokenFailed", message: "HTTP 429", rateLimited: true });
    expect(walk.armed("person")).toBe(2_000);
  });

  test("waits and begins anew when no person has a token", () => {
    const walk = new Walk().feed({ type: "start" }, { type: "persons", names: ["alice"] });
    walk.feed({ type: "tokenFailed", message: "HTTP 503", rateLimited: false });
    expect(walk.state.phase).toBe("waiting");
    expect(walk.state.reason).toBe("HTTP 503");
  });

  test.each([
    ["upgrade", "opening"],
    ["auth", "greeting"],
  ] as const)("gives up an attempt when the %s timer fires", (timer, phase) => {
    const walk = new Walk().toOpening();
    if (phase === "greeting") walk.feed({ type: "opened" });
    walk.feed({ type: "timer", timer });
    expect(walk.state.phase).toBe("waiting");
    expect(walk.of("hangUp")).toHaveLength(1);
  });

  test("a socket that never opened says so, whatever code the browser gives", () => {
    const walk = new Walk().toOpening().feed({ type: "closed", code: 1006, reason: "" });
    expect(walk.state.reason).toMatch(/could not be opened/);
    expect(walk.state.phase).toBe("waiting");
  });

  test("an event that cannot happen raises and names phase and event", () => {
    expect(() => new Walk().feed({ type: "opened" })).toThrow(IllegalTransition);
    expect(() => new Walk().feed({ type: "opened" })).toThrow(/"opened".*"stopped"/);
    expect(() => new Walk().toReady().feed({ type: "timer", timer: "auth" })).toThrow(/"timer auth".*"ready"/);
  });
});

describe("losing the connection", () => {
  test("delays double from 5 s and stop at the ceiling", () => {
    const walk = new Walk({ maxAttempts: 10 }).toReady().feed({ type: "closed", code: 1006, reason: "" });
    const delays = [walk.armed("retry")];
    for (let i = 0; i < 6; i += 1) {
      walk.feed({ type: "timer", timer: "retry" }, { type: "personsFailed", message: "no" });
      delays.push(walk.armed("retry"));
    }
    expect(delays).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 120_000, 120_000]);
  });

  test("forgets what was acknowledged and the old latency", () => {
    const walk = new Walk().toReady();
    walk.hear({ type: "pong", timestamp: walk.now, serverTime: 1 });
    expect(walk.state.latencyMs).toBe(0);
    walk.feed({ type: "closed", code: 1001, reason: "" });
    expect(walk.state.accepted.size).toBe(0);
    expect(walk.state.latencyMs).toBeNull();
    expect(walk.state.reason).toBe("the gateway is stopping");
    expect(walk.status).toBe("connecting");
  });

  test("keeps its connection id", () => {
    const walk = new Walk()
      .toReady()
      .feed({ type: "closed", code: 1006, reason: "" }, { type: "timer", timer: "retry" });
    walk.feed({ type: "persons", names: ["alice"] }, { type: "token", token: "t2" });
    expect(walk.of("open")[0]?.connectionId).toBe("ws-1-aaaaaaaaa");
  });

  test("a refused token is renewed at once, but only once in a while", () => {
    const walk = new Walk().toReady().feed({ type: "closed", code: 4001, reason: "" });
    expect(walk.of("fetchPersons")).toHaveLength(1);
    walk.feed({ type: "persons", names: ["alice"] });
    expect(walk.of("fetchToken")[0]?.refresh).toBe(true);

    walk.feed({ type: "token", token: "t2" }, { type: "opened" }, { type: "closed", code: 4001, reason: "" });
    expect(walk.state.phase).toBe("waiting");
  });

  test.each([4500, 4503, 4999, 1002, 1009])("close code %i means not to come back until asked", (code) => {
    const walk = new Walk().toReady().feed({ type: "closed", code, reason: "told so" });
    expect(walk.status).toBe("error");
    expect(walk.of("arm")).toEqual([]);
    walk.feed({ type: "retry" });
    expect(walk.state.phase).toBe("identifying");
  });

  test("what the gateway complained of is the reason of the close that follows", () => {
    const walk = new Walk().toOpening().feed({ type: "opened" });
    walk.hear({ type: "error", code: "unsupported_protocol", message: "this gateway speaks version 2" });
    walk.feed({ type: "closed", code: 4502, reason: "" });
    expect(walk.state.reason).toBe("this gateway speaks version 2");
  });

  test.each(["online", "visible", "retry"] as const)("does not sit out the wait after %s", (type) => {
    const walk = new Walk().toReady().feed({ type: "closed", code: 1006, reason: "" }, { type });
    expect(walk.state.phase).toBe("identifying");
    expect(walk.of("disarm").map((effect) => effect.timer)).toContain("retry");
  });

  test("stop ends everything", () => {
    const walk = new Walk().toReady().exhaust().feed({ type: "stop" });
    expect(walk.status).toBe("disconnected");
    expect(walk.of("disarm").map((effect) => effect.timer)).toEqual(expect.arrayContaining(["retry", "poll"]));
    walk.feed({ type: "polled", quotes: [] });
    expect(walk.effects).toEqual([]);
  });
});

describe("when all attempts are used up", () => {
  test("polls, says so, and keeps probing", () => {
    const walk = new Walk().toReady().exhaust();
    expect(walk.status).toBe("degraded");
    expect(walk.armed("poll")).toBe(0);
    expect(walk.armed("retry")).toBe(20_000);

    walk.feed({ type: "timer", timer: "poll" });
    expect(walk.of("poll")).toEqual([{ type: "poll", symbols: ["AAPL"] }]);
    walk.feed({ type: "polled", quotes: [quote("AAPL", 3)] });
    expect(walk.of("deliver")).toHaveLength(1);
    expect(walk.armed("poll")).toBe(30_000);
  });

  test("goes back to the socket by itself and stops polling", () => {
    const walk = new Walk().toReady().exhaust().feed({ type: "timer", timer: "retry" });
    expect(walk.status).toBe("degraded");
    walk.feed({ type: "persons", names: ["alice"] }, { type: "token", token: "t" }, { type: "opened" }).hear(welcome());
    expect(walk.status).toBe("connected");
    expect(walk.of("disarm").map((effect) => effect.timer)).toContain("poll");
  });

  test("a poll that works again after failing brings the next attempt forward", () => {
    const walk = new Walk().toReady().exhaust();
    walk.feed({ type: "pollFailed", message: "no" }, { type: "polled", quotes: [] });
    expect(walk.state.phase).toBe("identifying");
  });

  test("a symbol added meanwhile is polled at once", () => {
    const walk = new Walk()
      .toReady()
      .exhaust()
      .feed({ type: "want", symbols: ["AAPL", "SPY"] });
    expect(walk.armed("poll")).toBe(0);
  });

  test("without polling it is an error that still retries", () => {
    const walk = new Walk({ polling: false }).toReady().exhaust();
    expect(walk.status).toBe("error");
    expect(walk.armed("poll")).toBeUndefined();
    expect(walk.armed("retry")).toBe(20_000);
  });
});
