import { describe, expect, test } from "vitest";
import { qualityOf } from "../src/client/state.ts";
import { Walk } from "./support.ts";

const pulse = { type: "timer", timer: "pulse" } as const;

/** Ready, and the first ping answered after `latencyMs`. */
function ready(latencyMs = 20): Walk {
  const walk = new Walk().toReady();
  const sentAt = walk.now;
  walk.now += latencyMs;
  return walk.hear({ type: "pong", timestamp: sentAt, serverTime: 501_000 });
}

describe("pings", () => {
  test("latency is smoothed and the gateway's clock is learnt", () => {
    const walk = ready(100);
    expect(walk.state.latencyMs).toBe(100);
    expect(walk.state.clockOffsetMs).toBe(501_000 + 50 - walk.now);
    walk.now += 30_000;
    walk.feed(pulse);
    const sentAt = walk.now;
    walk.now += 200;
    walk.hear({ type: "pong", timestamp: sentAt, serverTime: 1 });
    expect(walk.state.latencyMs).toBeCloseTo(130);
  });

  test("goes out each interval while quotes flow", () => {
    const walk = ready();
    let pings = 0;
    for (let second = 10; second <= 90; second += 10) {
      walk.now = 1_000 + second * 1_000;
      walk.hear({ type: "quotes", quotes: [] }).feed(pulse);
      for (const message of walk.sent) {
        pings += 1;
        if (message.type === "ping") walk.hear({ type: "pong", timestamp: message.timestamp, serverTime: 1 });
      }
    }
    expect(pings).toBe(3);
  });

  test("goes out sooner when nothing is heard", () => {
    const walk = ready();
    walk.now += 10_000;
    walk.feed(pulse);
    expect(walk.sent).toEqual([{ type: "ping", timestamp: walk.now }]);
    expect(walk.armed("pong")).toBe(5_000);
  });

  test("a ping that is not answered ends the connection", () => {
    const walk = new Walk().toReady().feed({ type: "timer", timer: "pong" });
    expect(walk.state.phase).toBe("waiting");
    expect(walk.state.reason).toBe("no answer to a ping within 5 s");
  });

  test("the answer to an older ping proves nothing", () => {
    const walk = ready();
    walk.feed({ type: "offline" });
    walk.hear({ type: "pong", timestamp: 1, serverTime: 1 });
    expect(walk.state.phase).toBe("checking");
  });
});

describe("after a sleep or a change of network", () => {
  test.each([{ type: "woke", sleptMs: 60_000 }, { type: "offline" }, { type: "online" }] as const)(
    "$type: nothing is called live until a ping is answered",
    (event) => {
      const walk = ready();
      walk.now += 500;
      walk.feed(event);
      expect(walk.status).toBe("connecting");
      expect(walk.sent).toEqual([{ type: "ping", timestamp: walk.now }]);
      walk.hear({ type: "pong", timestamp: walk.now, serverTime: 1 });
      expect(walk.status).toBe("connected");
      expect(walk.sent).toEqual([]);
    },
  );

  test("no answer: the connection is given up", () => {
    const walk = ready().feed({ type: "woke", sleptMs: 60_000 }, { type: "timer", timer: "pong" });
    expect(walk.state.phase).toBe("waiting");
  });
});

test("quality by latency", () => {
  expect([10, 500, 501, 2_000, 2_001].map(qualityOf)).toEqual(["good", "good", "fair", "fair", "poor"]);
});
