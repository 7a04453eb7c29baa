/** What the tests share: settings, quotes, and a driver that walks the machine through events. */

import type { Decoded, Quote, SymbolResult, Welcome } from "../src/client/protocol.ts";
import { step } from "../src/client/session.ts";
import {
  type Effect,
  initialState,
  type SessionConfig,
  type SessionEvent,
  type SessionState,
  type Status,
  statusOf,
} from "../src/client/state.ts";

export const CONFIG: SessionConfig = {
  baseDelayMs: 5_000,
  maxDelayMs: 120_000,
  maxAttempts: 2,
  polling: true,
  pollingIntervalMs: 30_000,
  upgradeTimeoutMs: 5_000,
  authTimeoutMs: 10_000,
  silenceMs: 10_000,
  pongTimeoutMs: 5_000,
  clientVersion: "test/1",
};

export function quote(symbol: string, sequence: number, more: Partial<Quote> = {}): Quote {
  return {
    symbol,
    symbolId: 1,
    epoch: 1,
    sequence,
    freshness: "live",
    source: "stream",
    delayed: false,
    receivedAt: 0,
    ...more,
  };
}

export const welcome = (more: Partial<Welcome> = {}): Welcome => ({
  type: "welcome",
  connectionId: "ws-1-aaaaaaaaa",
  version: "9.9.9",
  serverTime: 1_000,
  pingIntervalMs: 30_000,
  pongTimeoutMs: 5_000,
  upstream: { state: "connected", reason: "streaming", since: 0, person: "alice", symbolCount: 1 },
  ...more,
});

/** Walks one machine. `now` is moved by the test; chance always gives the longest wait. */
export class Walk {
  now = 1_000;
  state: SessionState;
  /** What the last event asked for. */
  effects: readonly Effect[] = [];
  readonly config: SessionConfig;

  constructor(config: Partial<SessionConfig> = {}) {
    this.config = { ...CONFIG, ...config };
    this.state = initialState("ws-1-aaaaaaaaa", this.now);
  }

  get status(): Status {
    return statusOf(this.state, this.config);
  }

  feed(...events: readonly SessionEvent[]): this {
    for (const event of events) {
      [this.state, this.effects] = step(this.state, event, {
        now: this.now,
        random: () => 1 - 1e-9,
        config: this.config,
      });
    }
    return this;
  }

  hear(message: Decoded): this {
    return this.feed({ type: "received", message });
  }

  of<K extends Effect["type"]>(type: K): Extract<Effect, { type: K }>[] {
    return this.effects.filter((effect): effect is Extract<Effect, { type: K }> => effect.type === type);
  }

  /** The messages the last event sent. */
  get sent() {
    return this.of("send").map((effect) => effect.message);
  }

  armed(timer: string): number | undefined {
    return this.of("arm").find((effect) => effect.timer === timer)?.afterMs;
  }

  toOpening(symbols: readonly string[] = ["AAPL"]): this {
    return this.feed(
      { type: "want", symbols },
      { type: "start" },
      { type: "persons", names: ["alice", "bob"] },
      { type: "token", token: "t1" },
    );
  }

  toReady(symbols: readonly string[] = ["AAPL"]): this {
    return this.toOpening(symbols).feed({ type: "opened" }).hear(welcome());
  }

  acknowledge(results: readonly SymbolResult[], requestId: string): this {
    return this.hear({ type: "subscribed", results, requestId });
  }

  /** Lose the connection and let every promised attempt fail. */
  exhaust(): this {
    this.feed({ type: "closed", code: 1006, reason: "" });
    for (let i = 0; i < this.config.maxAttempts; i += 1) {
      this.feed({ type: "timer", timer: "retry" }, { type: "personsFailed", message: "the gateway cannot be reached" });
    }
    return this;
  }
}
