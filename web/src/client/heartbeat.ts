/** Is the gateway still there? Pings that carry a time, the latency they show, and the clock of the other side. */

import type { Pong } from "./protocol.ts";
import type { Effect, Moment, SessionState, Step } from "./state.ts";

/** Weight of the newest sample in the smoothed latency. */
const SMOOTHING = 0.3;

export function pongTimeoutMs(state: SessionState, at: Moment): number {
  return state.server?.pongTimeoutMs ?? at.config.pongTimeoutMs;
}

/** Send a ping now; its answer is due within the pong time-out. */
export function ping(state: SessionState, at: Moment): Step {
  const effects: Effect[] = [
    { type: "send", message: { type: "ping", timestamp: at.now } },
    { type: "arm", timer: "pong", afterMs: pongTimeoutMs(state, at) },
    { type: "arm", timer: "pulse", afterMs: at.config.silenceMs },
  ];
  return [{ ...state, pingSentAt: at.now }, effects];
}

/** The regular look: a ping when the last is an interval old, or when nothing at all was heard for a while. */
export function pulse(state: SessionState, at: Moment): Step {
  const interval = state.server?.pingIntervalMs ?? at.config.silenceMs;
  const silent = at.now - (state.lastMessageAt ?? 0) >= at.config.silenceMs;
  const due = at.now - (state.pingSentAt ?? 0) + at.config.silenceMs > interval;
  if (silent || due) return ping(state, at);
  return [state, [{ type: "arm", timer: "pulse", afterMs: at.config.silenceMs }]];
}

/** True when `pong` answers the last ping sent. */
export const answers = (state: SessionState, pong: Pong): boolean => pong.timestamp === state.pingSentAt;

/** The state after the answer to the last ping: smoothed latency and the gateway's clock. */
export function measure(state: SessionState, pong: Pong, at: Moment): Step {
  const sample = Math.max(0, at.now - (state.pingSentAt ?? at.now));
  const before = state.latencyMs;
  const latencyMs = before === null ? sample : before + SMOOTHING * (sample - before);
  const clockOffsetMs = pong.serverTime + sample / 2 - at.now;
  return [{ ...state, latencyMs, clockOffsetMs }, [{ type: "disarm", timer: "pong" }]];
}
