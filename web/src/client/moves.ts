/** Moves that several transitions share: entering a phase, losing the connection, starting an attempt. */

import { backoff } from "./backoff.ts";
import { type Effect, exhausted, type Moment, type Phase, type SessionState, type Step, type Timer } from "./state.ts";

/** The timers each phase owns. Leaving a phase disarms those the next one does not own. */
const TIMERS: Readonly<Record<Phase, readonly Timer[]>> = {
  stopped: [],
  identifying: [],
  authorising: ["person"],
  opening: ["upgrade"],
  greeting: ["auth"],
  ready: ["pulse", "pong", "resubscribe"],
  checking: ["pulse", "pong", "resubscribe"],
  waiting: ["retry"],
  refused: [],
};

/** The state in `phase` and the effects that disarm what the phase before left behind. */
export function enter(state: SessionState, phase: Phase, reason: string, at: Moment): Step {
  const kept = TIMERS[phase];
  const disarmed = TIMERS[state.phase].filter((timer) => !kept.includes(timer));
  const next: SessionState = { ...state, phase, reason, since: at.now, retryAt: null };
  return [next, disarmed.map((timer): Effect => ({ type: "disarm", timer }))];
}

/** Without a link nothing is acknowledged, nothing is owed an answer, and old latency says nothing. */
function withoutLink(state: SessionState): SessionState {
  return {
    ...state,
    token: null,
    accepted: new Set(),
    refused: new Map(),
    pending: new Map(),
    pingSentAt: null,
    latencyMs: null,
  };
}

/** A new attempt now: persons first, since who is configured may have changed. */
export function attempt(state: SessionState, at: Moment, reason: string): Step {
  const fresh = { ...withoutLink(state), personIndex: 0, rateLimits: 0, complaint: null };
  const [next, effects] = enter(fresh, "identifying", reason, at);
  return [next, [...effects, { type: "hangUp" }, { type: "fetchPersons" }]];
}

/** The attempt or the connection failed: wait, longer each time; once all attempts are used up, poll meanwhile. */
export function lose(state: SessionState, at: Moment, reason: string): Step {
  const failed = { ...withoutLink(state), failures: state.failures + 1 };
  const delay = backoff(failed.failures, at.config, at.random);
  const [waiting, effects] = enter(failed, "waiting", reason, at);
  const next: SessionState = { ...waiting, retryAt: at.now + delay };
  const all: Effect[] = [...effects, { type: "hangUp" }, { type: "arm", timer: "retry", afterMs: delay }];
  const first = exhausted(next, at.config) && !exhausted(state, at.config);
  if (first && at.config.polling) all.push({ type: "arm", timer: "poll", afterMs: 0 });
  return [next, all];
}

/** The gateway said not to come back, or we were told to stop: everything ends, and nothing is retried. */
export function end(state: SessionState, phase: "stopped" | "refused", at: Moment, reason: string): Step {
  const [next, effects] = enter(withoutLink(state), phase, reason, at);
  return [{ ...next, failures: 0 }, [...effects, { type: "hangUp" }, { type: "disarm", timer: "poll" }]];
}
