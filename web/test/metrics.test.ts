import { describe, expect, test } from "vitest";
import { metricsReport } from "../src/client/metrics.ts";
import { quote, Walk, welcome } from "./support.ts";

const report = (walk: Walk) => metricsReport(walk.state, walk);
const snapshot = { type: "snapshot", quotes: [quote("AAPL", 1)] } as const;

describe("what this page counts of itself", () => {
  test("a connection that was had, its messages, and the time since the start", () => {
    const walk = new Walk().toReady().hear(snapshot);
    walk.now += 90_000;
    expect(report(walk)).toEqual({
      connectionId: "ws-1-aaaaaaaaa",
      clientVersion: "test/1",
      connectionsAttempted: 1,
      connectionsSucceeded: 1,
      connectionsFailed: 0,
      messagesReceived: 2, // welcome, snapshot
      messagesSent: 3, // hello, subscribe, ping
      reconnectionCount: 0,
      averageLatency: null,
      lastQuoteTime: 1_000,
      tokenRefreshCount: 0,
      uptime: 90_000,
      status: "connected",
    });
  });

  test("an attempt under way has not failed; one that is given up has", () => {
    const walk = new Walk().toOpening();
    expect(report(walk)).toMatchObject({ connectionsAttempted: 1, connectionsSucceeded: 0, connectionsFailed: 0 });
    walk.feed({ type: "timer", timer: "upgrade" });
    expect(report(walk)).toMatchObject({ connectionsAttempted: 1, connectionsFailed: 1, status: "connecting" });
    walk.feed({ type: "timer", timer: "retry" }, { type: "personsFailed", message: "no" });
    expect(report(walk)).toMatchObject({ connectionsAttempted: 2, connectionsFailed: 2 });
  });

  test("a connection had again is a reconnection, and losing one is no failure to connect", () => {
    const walk = new Walk().toReady().feed({ type: "closed", code: 1006, reason: "" });
    expect(report(walk)).toMatchObject({ connectionsFailed: 0, reconnectionCount: 0 });
    walk.feed({ type: "timer", timer: "retry" }, { type: "persons", names: ["alice"] }, { type: "token", token: "t" });
    walk.feed({ type: "opened" }).hear(welcome());
    expect(report(walk)).toMatchObject({ connectionsAttempted: 2, connectionsSucceeded: 2, reconnectionCount: 1 });
  });

  test("a token fetched because one was refused is a refresh, the first is none", () => {
    const walk = new Walk().toReady().feed({ type: "closed", code: 4001, reason: "" });
    expect(report(walk).tokenRefreshCount).toBe(0);
    walk.feed({ type: "persons", names: ["alice"] }, { type: "token", token: "t2" });
    expect(report(walk).tokenRefreshCount).toBe(1);
  });

  test("latency is the mean of all answered pings; an answer to another ping counts for nothing", () => {
    const walk = new Walk().toReady();
    for (const took of [10, 30]) {
      const sentAt = walk.state.pingSentAt ?? 0;
      walk.now = sentAt + took;
      walk.hear({ type: "pong", timestamp: sentAt, serverTime: 0 });
      walk.feed({ type: "visible" });
    }
    walk.hear({ type: "pong", timestamp: 1, serverTime: 0 });
    expect(report(walk).averageLatency).toBe(20);
  });

  test("what cannot be read is a message too", () => {
    const walk = new Walk().toReady().hear("malformed").hear("unknown");
    expect(report(walk).messagesReceived).toBe(3);
  });
});

describe("reporting", () => {
  test("each minute from the start, whatever the connection does", () => {
    const walk = new Walk().feed({ type: "start" });
    expect(walk.armed("report")).toBe(60_000);
    walk.feed({ type: "personsFailed", message: "no" });
    expect(walk.of("disarm").map((effect) => effect.timer)).not.toContain("report");
    walk.feed({ type: "timer", timer: "report" });
    expect(walk.of("report")).toEqual([{ type: "report", report: report(walk), leaving: false }]);
    expect(walk.armed("report")).toBe(60_000);
  });

  test("once more when the page is left, and no more once stopped", () => {
    const walk = new Walk().toReady().feed({ type: "leaving" });
    expect(walk.of("report")).toMatchObject([{ leaving: true, report: { connectionsSucceeded: 1 } }]);
    walk.feed({ type: "stop" });
    expect(walk.of("disarm").map((effect) => effect.timer)).toContain("report");
    walk.feed({ type: "leaving" });
    expect(walk.effects).toEqual([]);
  });
});
