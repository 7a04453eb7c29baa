/** What this page counts of itself since its start (R19). Pure: everything is read off the machine's steps. */

import { type Effect, type Moment, type Phase, type SessionEvent, type SessionState, statusOf } from "./state.ts";

export const REPORT_EVERY_MS = 60_000;

export interface Metrics {
  readonly startedAt: number;
  readonly attempted: number;
  readonly succeeded: number;
  readonly received: number;
  readonly sent: number;
  readonly tokenRefreshes: number;
  readonly latencySumMs: number;
  readonly latencySamples: number;
}

/** The report under the names of the gateway's `POST /api/metrics/websocket`. Times in ms; counts since the start. */
export interface MetricsReport {
  readonly connectionId: string;
  readonly clientVersion: string;
  readonly connectionsAttempted: number;
  readonly connectionsSucceeded: number;
  readonly connectionsFailed: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly reconnectionCount: number;
  readonly averageLatency: number | null;
  readonly lastQuoteTime: number | null;
  readonly tokenRefreshCount: number;
  readonly uptime: number;
  readonly status: string;
}

export const noMetrics = (now: number): Metrics => ({
  startedAt: now,
  attempted: 0,
  succeeded: 0,
  received: 0,
  sent: 0,
  tokenRefreshes: 0,
  latencySumMs: 0,
  latencySamples: 0,
});

/** Phases of an attempt whose outcome is open. */
const TRYING: ReadonlySet<Phase> = new Set(["identifying", "authorising", "opening", "greeting"]);

function latencySample(before: SessionState, event: SessionEvent, now: number): number | null {
  if (event.type !== "received" || typeof event.message === "string" || event.message.type !== "pong") return null;
  const sentAt = before.pingSentAt;
  return sentAt !== null && event.message.timestamp === sentAt ? Math.max(0, now - sentAt) : null;
}

/** The counts after one step of the machine; the same object when nothing was counted. */
export function count(
  before: SessionState,
  event: SessionEvent,
  after: SessionState,
  effects: readonly Effect[],
  now: number,
): Metrics {
  const known = before.metrics;
  const times = (type: Effect["type"]): number => effects.filter((effect) => effect.type === type).length;
  const sample = latencySample(before, event, now);
  const more = {
    attempted: times("fetchPersons"),
    succeeded: Number(before.phase === "greeting" && after.phase === "ready"),
    received: Number(event.type === "received"),
    sent: times("send"),
    tokenRefreshes: Number(event.type === "token" && before.refresh),
    latencySumMs: sample ?? 0,
    latencySamples: Number(sample !== null),
  };
  if (Object.values(more).every((value) => value === 0)) return known;
  return {
    startedAt: known.startedAt,
    attempted: known.attempted + more.attempted,
    succeeded: known.succeeded + more.succeeded,
    received: known.received + more.received,
    sent: known.sent + more.sent,
    tokenRefreshes: known.tokenRefreshes + more.tokenRefreshes,
    latencySumMs: known.latencySumMs + more.latencySumMs,
    latencySamples: known.latencySamples + more.latencySamples,
  };
}

/** What is reported at this moment. Every attempt has succeeded, has failed, or is under way. */
export function metricsReport(state: SessionState, at: Pick<Moment, "now" | "config">): MetricsReport {
  const { metrics } = state;
  return {
    connectionId: state.connectionId,
    clientVersion: at.config.clientVersion,
    connectionsAttempted: metrics.attempted,
    connectionsSucceeded: metrics.succeeded,
    connectionsFailed: metrics.attempted - metrics.succeeded - Number(TRYING.has(state.phase)),
    messagesReceived: metrics.received,
    messagesSent: metrics.sent,
    reconnectionCount: Math.max(0, metrics.succeeded - 1),
    averageLatency: metrics.latencySamples > 0 ? metrics.latencySumMs / metrics.latencySamples : null,
    lastQuoteTime: state.lastQuoteAt,
    tokenRefreshCount: metrics.tokenRefreshes,
    uptime: Math.max(0, at.now - metrics.startedAt),
    status: statusOf(state, at.config),
  };
}
