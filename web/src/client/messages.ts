/** What each message from the gateway does to the state. Which messages count depends on the phase. */

import { answers, measure, ping } from "./heartbeat.ts";
import { enter } from "./moves.ts";
import type { Decoded, ErrorMessage, Pong, QuotesMessage, ServerMessage, Welcome } from "./protocol.ts";
import type { Effect, Moment, SessionEvent, SessionState, Step } from "./state.ts";
import { acknowledge, decline, reconcile } from "./wants.ts";

type Received = Extract<SessionEvent, { type: "received" }>;

/** A message arrived: it shows that the gateway is there, and then says what it says. */
export function onMessage(state: SessionState, event: Received, at: Moment): Step {
  const heard = { ...state, lastMessageAt: at.now };
  if (event.message === "malformed") return [{ ...heard, malformed: state.malformed + 1 }, []];
  if (event.message === "unknown") return [heard, []];
  return state.phase === "greeting" ? greeted(heard, event.message, at) : connected(heard, event.message, at);
}

function greeted(state: SessionState, message: Exclude<Decoded, string>, at: Moment): Step {
  if (message.type === "error") return [{ ...state, complaint: message.message }, []];
  return message.type === "welcome" ? onWelcome(state, message, at) : [state, []];
}

function onWelcome(state: SessionState, welcome: Welcome, at: Moment): Step {
  const { version, pingIntervalMs, pongTimeoutMs, upstream, connectionId, serverTime } = welcome;
  const server = { version, pingIntervalMs, pongTimeoutMs };
  const clockOffsetMs = serverTime - at.now;
  const met: SessionState = {
    ...state,
    server,
    upstream,
    connectionId,
    clockOffsetMs,
    linkedAt: at.now,
    failures: 0,
    rateLimits: 0,
    pollFailure: null,
  };
  const [ready, left] = enter(met, "ready", "connected", at);
  const [asked, commands] = reconcile(ready, at);
  const [next, beats] = ping(asked, at);
  return [next, [...left, { type: "disarm", timer: "poll" }, ...commands, ...beats]];
}

function connected(state: SessionState, message: ServerMessage, at: Moment): Step {
  switch (message.type) {
    case "snapshot":
    case "quotes":
      return onQuotes(state, message, at);
    case "subscribed":
      return acknowledge(state, message);
    case "status":
      return [{ ...state, upstream: message.upstream }, []];
    case "pong":
      return onPong(state, message, at);
    case "error":
      return onError(state, message);
    case "unsubscribed":
    case "welcome":
      return [state, []];
  }
}

function onQuotes(state: SessionState, message: QuotesMessage, at: Moment): Step {
  const next = { ...state, lastQuoteAt: at.now, skipped: state.skipped + (message.skipped ?? 0) };
  return [next, [{ type: "deliver", quotes: message.quotes }]];
}

function onPong(state: SessionState, pong: Pong, at: Moment): Step {
  if (!answers(state, pong)) return [state, []];
  const [measured, effects] = measure(state, pong, at);
  if (measured.phase !== "checking") return [measured, effects];
  const [next, left] = enter(measured, "ready", "connected", at);
  return [next, [...effects, ...left]];
}

function onError(state: SessionState, message: ErrorMessage): Step {
  const [next, effects]: readonly [SessionState, readonly Effect[]] = decline(state, message);
  return [{ ...next, complaint: message.message }, effects];
}
