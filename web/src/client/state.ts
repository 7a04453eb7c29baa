/** The words of the connection machine: its phases, what happens to it, what it asks for, what it remembers. */

import type { BackoffPlan } from "./backoff.ts";
import { type Metrics, type MetricsReport, noMetrics } from "./metrics.ts";
import type { ClientMessage, Decoded, Quote, Upstream } from "./protocol.ts";

/**
 * `stopped` not wanted; `identifying` asking for persons; `authorising` asking for a token; `opening` socket upgrade;
 * `greeting` hello sent; `ready` live; `checking` live a moment ago, a ping must prove it; `waiting` for the next
 * attempt; `refused` told not to come back.
 */
export type Phase =
  "stopped" | "identifying" | "authorising" | "opening" | "greeting" | "ready" | "checking" | "waiting" | "refused";

/** What a person is told. Derived from the state, see `statusOf`. */
export type Status = "disconnected" | "connecting" | "connected" | "degraded" | "error";

export type Timer = "person" | "upgrade" | "auth" | "pulse" | "pong" | "retry" | "poll" | "resubscribe" | "report";

export interface SessionConfig extends BackoffPlan {
  readonly maxAttempts: number;
  readonly polling: boolean;
  readonly pollingIntervalMs: number;
  readonly upgradeTimeoutMs: number;
  readonly authTimeoutMs: number;
  /** A ping goes out after this much silence, sooner than the gateway's own interval. */
  readonly silenceMs: number;
  readonly pongTimeoutMs: number;
  readonly clientVersion: string;
}

export interface Refusal {
  readonly code: string;
  readonly reason: string;
  readonly retryable: boolean;
}

export interface Server {
  readonly version: string;
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
}

export type SessionEvent =
  | { readonly type: "start" }
  | { readonly type: "stop" }
  | { readonly type: "want"; readonly symbols: readonly string[] }
  | { readonly type: "persons"; readonly names: readonly string[] }
  | { readonly type: "personsFailed"; readonly message: string }
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "tokenFailed"; readonly message: string; readonly rateLimited: boolean }
  | { readonly type: "opened" }
  | { readonly type: "received"; readonly message: Decoded }
  | { readonly type: "closed"; readonly code: number; readonly reason: string }
  | { readonly type: "timer"; readonly timer: Timer }
  | { readonly type: "polled"; readonly quotes: readonly Quote[] }
  | { readonly type: "pollFailed"; readonly message: string }
  | { readonly type: "offline" }
  | { readonly type: "online" }
  | { readonly type: "visible" }
  | { readonly type: "woke"; readonly sleptMs: number }
  | { readonly type: "leaving" }
  | { readonly type: "retry" };

export type Effect =
  | { readonly type: "fetchPersons" }
  | { readonly type: "fetchToken"; readonly person: string; readonly refresh: boolean }
  | { readonly type: "open"; readonly connectionId: string }
  | { readonly type: "send"; readonly message: ClientMessage }
  /** Abort what is being fetched or opened and close the socket; nothing of them may be reported afterwards. */
  | { readonly type: "hangUp" }
  | { readonly type: "arm"; readonly timer: Timer; readonly afterMs: number }
  | { readonly type: "disarm"; readonly timer: Timer }
  | { readonly type: "poll"; readonly symbols: readonly string[] }
  | { readonly type: "deliver"; readonly quotes: readonly Quote[] }
  /** Hand the metrics in; `leaving`: the page may be gone before an answer comes. */
  | { readonly type: "report"; readonly report: MetricsReport; readonly leaving: boolean };

/** Times are ms since 1970 by this machine's clock. */
export interface SessionState {
  readonly phase: Phase;
  readonly since: number;
  /** Why the phase is what it is: a clause for people. */
  readonly reason: string;
  readonly connectionId: string;
  /** Failures since the last time it was ready. */
  readonly failures: number;
  readonly retryAt: number | null;
  readonly persons: readonly string[];
  readonly personIndex: number;
  /** How often this round was answered "too many requests" (429). */
  readonly rateLimits: number;
  readonly token: string | null;
  /** When a token was last renewed because the gateway refused one. */
  readonly renewedAt: number | null;
  /** The next token must be a new one. */
  readonly refresh: boolean;
  /** When this connection was welcomed; what was heard before it proves nothing about now. */
  readonly linkedAt: number | null;
  readonly server: Server | null;
  readonly upstream: Upstream | null;
  readonly wanted: ReadonlySet<string>;
  readonly accepted: ReadonlySet<string>;
  readonly refused: ReadonlyMap<string, Refusal>;
  readonly pending: ReadonlyMap<string, readonly string[]>;
  readonly pingSentAt: number | null;
  readonly latencyMs: number | null;
  /** Gateway's clock minus this machine's, in ms. */
  readonly clockOffsetMs: number;
  readonly lastMessageAt: number | null;
  readonly lastQuoteAt: number | null;
  readonly lastPollAt: number | null;
  readonly pollFailure: string | null;
  readonly skipped: number;
  readonly malformed: number;
  readonly complaint: string | null;
  readonly metrics: Metrics;
}

/** What a step may look at beside the state and the event. `now` in ms since 1970. */
export interface Moment {
  readonly now: number;
  readonly random: () => number;
  readonly config: SessionConfig;
}

export type Step = readonly [SessionState, readonly Effect[]];

export function initialState(connectionId: string, now: number): SessionState {
  return {
    phase: "stopped",
    since: now,
    reason: "not started",
    connectionId,
    failures: 0,
    retryAt: null,
    persons: [],
    personIndex: 0,
    rateLimits: 0,
    token: null,
    renewedAt: null,
    refresh: false,
    linkedAt: null,
    server: null,
    upstream: null,
    wanted: new Set(),
    accepted: new Set(),
    refused: new Map(),
    pending: new Map(),
    pingSentAt: null,
    latencyMs: null,
    clockOffsetMs: 0,
    lastMessageAt: null,
    lastQuoteAt: null,
    lastPollAt: null,
    pollFailure: null,
    skipped: 0,
    malformed: 0,
    complaint: null,
    metrics: noMetrics(now),
  };
}

/** True once every promised attempt has failed and the page lives from polling, or from nothing. */
export const exhausted = (state: SessionState, config: SessionConfig): boolean => state.failures > config.maxAttempts;

export function statusOf(state: SessionState, config: SessionConfig): Status {
  if (state.phase === "ready") return "connected";
  if (state.phase === "stopped") return "disconnected";
  if (state.phase === "refused") return "error";
  if (!exhausted(state, config)) return "connecting";
  return config.polling ? "degraded" : "error";
}

export type Quality = "good" | "fair" | "poor";

export function qualityOf(latencyMs: number): Quality {
  if (latencyMs > 2000) return "poor";
  return latencyMs > 500 ? "fair" : "good";
}
