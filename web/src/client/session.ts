/**
 * The connection machine: (state, event, moment) to (state, effects). Pure; `client.ts` carries the effects out.
 *
 * `TRANSITIONS` says for each phase which events may happen in it. Whatever may happen in any phase is in `ALWAYS`. An
 * event that is in neither is a fault of the caller and raises.
 */

import { explain, verdict } from "./closes.ts";
import { ping, pongTimeoutMs, pulse } from "./heartbeat.ts";
import { makeId } from "./ids.ts";
import { onMessage } from "./messages.ts";
import { count, metricsReport, REPORT_EVERY_MS } from "./metrics.ts";
import { attempt, end, enter, lose } from "./moves.ts";
import { PROTOCOL_VERSION } from "./protocol.ts";
import {
  type Effect,
  exhausted,
  type Moment,
  type Phase,
  type SessionEvent,
  type SessionState,
  type Step,
} from "./state.ts";
import { forgive, reconcile } from "./wants.ts";

type Kind = SessionEvent["type"];
type Of<K extends Kind> = Extract<SessionEvent, { type: K }>;
type Handler<K extends Kind> = (state: SessionState, event: Of<K>, at: Moment) => Step;
type Handlers = { readonly [K in Kind]?: Handler<K> };

/** After a refused token a new one is fetched at once, but not again within this: a gateway may refuse all of them. */
const RENEWAL_GUARD_MS = 30_000;
/** Each "too many requests" adds this to the wait before the next person is tried, up to the ceiling. */
const RATE_LIMIT_STEP_MS = 2_000;
const RATE_LIMIT_MAX_MS = 10_000;

const stay = (state: SessionState): Step => [state, []];

const requestToken = (state: SessionState): Effect => ({
  type: "fetchToken",
  person: state.persons[state.personIndex] ?? "",
  refresh: state.refresh,
});

const onPersons: Handler<"persons"> = (state, event, at) => {
  if (event.names.length === 0) return lose(state, at, "the gateway has no person to connect with");
  const [next, effects] = enter({ ...state, persons: event.names }, "authorising", "asking for a token", at);
  return [next, [...effects, requestToken(next)]];
};

const onToken: Handler<"token"> = (state, event, at) => {
  const granted = { ...state, token: event.token, refresh: false };
  const [next, effects] = enter(granted, "opening", "opening the connection", at);
  const open: Effect[] = [
    { type: "arm", timer: "upgrade", afterMs: at.config.upgradeTimeoutMs },
    { type: "open", connectionId: state.connectionId },
  ];
  return [next, [...effects, ...open]];
};

const onTokenFailed: Handler<"tokenFailed"> = (state, event, at) => {
  const next: SessionState = {
    ...state,
    personIndex: state.personIndex + 1,
    rateLimits: state.rateLimits + (event.rateLimited ? 1 : 0),
    reason: event.message,
  };
  if (next.personIndex >= next.persons.length) return lose(next, at, event.message);
  const afterMs = Math.min(next.rateLimits * RATE_LIMIT_STEP_MS, RATE_LIMIT_MAX_MS);
  return [next, [{ type: "arm", timer: "person", afterMs }]];
};

const onOpened: Handler<"opened"> = (state, _event, at) => {
  const [next, effects] = enter(state, "greeting", "introducing this page", at);
  const message = {
    type: "hello",
    protocol: PROTOCOL_VERSION,
    token: state.token ?? "",
    connectionId: state.connectionId,
    clientVersion: at.config.clientVersion,
    requestId: makeId("hello", at.now, at.random),
  } as const;
  const greet: Effect[] = [
    { type: "send", message },
    { type: "arm", timer: "auth", afterMs: at.config.authTimeoutMs },
  ];
  return [next, [...effects, ...greet]];
};

/** Browsers tell no more of a socket that never opened; the gateway did answer over HTTP a moment before. */
const onNotOpened: Handler<"closed"> = (state, _event, at) =>
  lose(state, at, "the WebSocket could not be opened: refused by the gateway, or blocked on the way");

const onClosed: Handler<"closed"> = (state, event, at) => {
  // Before it closes for a fault of ours the gateway says which; that is more exact than the code.
  const said = event.code >= 4000 ? state.complaint : null;
  const reason = said ?? explain(event.code, event.reason);
  const what = verdict(event.code);
  if (what === "stay-away") return end(state, "refused", at, reason);
  if (what === "reconnect") return lose(state, at, reason);
  const refreshing = { ...state, refresh: true };
  const renewed = state.renewedAt;
  if (renewed !== null && at.now - renewed < RENEWAL_GUARD_MS) return lose(refreshing, at, reason);
  return attempt({ ...refreshing, failures: 0, renewedAt: at.now }, at, reason);
};

/** Something happened to the machine or its network: trust nothing until a ping is answered. */
const check =
  (why: string) =>
  (state: SessionState, at: Moment): Step => {
    const [checking, left] = enter(state, "checking", why, at);
    const [next, effects] = ping(checking, at);
    return [next, [...left, ...effects]];
  };
const checkOffline = check("this device lost its network; checking");
const checkOnline = check("this device's network changed; checking");
const checkWoke = check("this device was asleep; checking");

const noPong = (state: SessionState, at: Moment): Step =>
  lose(state, at, `no answer to a ping within ${pongTimeoutMs(state, at) / 1000} s`);

const onLinkTimer: Handler<"timer"> = (state, event, at) => {
  if (event.timer === "pulse") return pulse(state, at);
  if (event.timer === "pong") return noPong(state, at);
  if (event.timer === "resubscribe") return reconcile(forgive(state), at);
  return illegal(state, event);
};

const timer =
  (name: string, then: (state: SessionState, at: Moment) => Step): Handler<"timer"> =>
  (state, event, at) =>
    event.timer === name ? then(state, at) : illegal(state, event);

const now =
  (reason: string) =>
  (state: SessionState, _event: SessionEvent, at: Moment): Step =>
    attempt(state, at, reason);

const ARM_REPORT: Effect = { type: "arm", timer: "report", afterMs: REPORT_EVERY_MS };

const onStart: Handler<"start"> = (state, _event, at) => {
  const [next, effects] = attempt(state, at, "looking for the gateway");
  return [next, [...effects, ARM_REPORT]];
};

const onStop: Handler<"stop"> = (state, _event, at) => {
  const [next, effects] = end(state, "stopped", at, "stopped by this page");
  return [next, [...effects, { type: "disarm", timer: "report" }]];
};

const onReportDue = (state: SessionState, at: Moment): Step => [
  state,
  [{ type: "report", report: metricsReport(state, at), leaving: false }, ARM_REPORT],
];

/** The page may be closed for good, or only be put away: what it counted so far is handed in either way. */
const onLeaving: Handler<"leaving"> = (state, _event, at) => {
  if (state.phase === "stopped") return stay(state);
  return [state, [{ type: "report", report: metricsReport(state, at), leaving: true }]];
};

const opening: Handlers = {
  opened: onOpened,
  closed: onNotOpened,
  timer: timer("upgrade", (state, at) =>
    lose(state, at, `no connection within ${at.config.upgradeTimeoutMs / 1000} s`),
  ),
};

const TRANSITIONS: Readonly<Record<Phase, Handlers>> = {
  stopped: { start: onStart },
  identifying: {
    persons: onPersons,
    personsFailed: (state, event, at) => lose(state, at, event.message),
  },
  authorising: {
    token: onToken,
    tokenFailed: onTokenFailed,
    timer: timer("person", (state) => [state, [requestToken(state)]]),
  },
  opening,
  greeting: {
    received: onMessage,
    closed: onClosed,
    timer: timer("auth", (state, at) => lose(state, at, `no welcome within ${at.config.authTimeoutMs / 1000} s`)),
  },
  ready: {
    received: onMessage,
    closed: onClosed,
    timer: onLinkTimer,
    want: (state, event, at) => reconcile({ ...state, wanted: new Set(event.symbols) }, at),
    offline: (state, _event, at) => checkOffline(state, at),
    online: (state, _event, at) => checkOnline(state, at),
    woke: (state, _event, at) => checkWoke(state, at),
    visible: (state, _event, at) => ping(state, at),
  },
  checking: {
    received: onMessage,
    closed: onClosed,
    timer: onLinkTimer,
    want: (state, event, at) => reconcile({ ...state, wanted: new Set(event.symbols) }, at),
  },
  waiting: {
    timer: timer("retry", (state, at) => attempt(state, at, "trying again")),
    online: now("the network is back"),
    visible: now("the page is looked at again"),
    woke: now("this device woke up"),
    retry: now("trying again"),
  },
  refused: { retry: now("trying again") },
};

const onPolled: Handler<"polled"> = (state, event, at) => {
  if (!exhausted(state, at.config) || state.phase === "stopped") return stay(state);
  const recovered = state.pollFailure !== null && state.phase === "waiting";
  const polled = { ...state, lastPollAt: at.now, lastQuoteAt: at.now, pollFailure: null };
  const effects: Effect[] = [
    { type: "deliver", quotes: event.quotes },
    { type: "arm", timer: "poll", afterMs: at.config.pollingIntervalMs },
  ];
  // Polling works again after it had failed: the gateway is back, so do not sit out the long wait.
  const [next, more] = recovered ? attempt(polled, at, "the gateway answers again") : stay(polled);
  return [next, [...effects, ...more]];
};

/** Without a link the set is only noted; where polling stands in for it, the new symbols are fetched at once. */
const onWant: Handler<"want"> = (state, event, at) => {
  const polling = at.config.polling && exhausted(state, at.config) && state.phase !== "stopped";
  return [{ ...state, wanted: new Set(event.symbols) }, polling ? [{ type: "arm", timer: "poll", afterMs: 0 }] : []];
};

const onPollFailed: Handler<"pollFailed"> = (state, event, at) => {
  if (!exhausted(state, at.config) || state.phase === "stopped") return stay(state);
  const effect: Effect = { type: "arm", timer: "poll", afterMs: at.config.pollingIntervalMs };
  return [{ ...state, pollFailure: event.message }, [effect]];
};

/** What may happen at any time, beside what the phase's own table says. */
const ALWAYS: Handlers = {
  start: stay,
  stop: onStop,
  want: onWant,
  polled: onPolled,
  pollFailed: onPollFailed,
  offline: stay,
  online: stay,
  visible: stay,
  woke: stay,
  leaving: onLeaving,
  retry: stay,
};

/** Raised when an event cannot happen in the phase the machine is in. */
export class IllegalTransition extends Error {
  override readonly name = "IllegalTransition";
}

function illegal(state: SessionState, event: SessionEvent): never {
  const what = event.type === "timer" ? `timer ${event.timer}` : event.type;
  throw new IllegalTransition(`session: event "${what}" cannot happen in phase "${state.phase}"`);
}

/** One step of the machine. Raises IllegalTransition when the event cannot happen now. */
export function step(state: SessionState, event: SessionEvent, at: Moment): Step {
  const [next, effects] = move(state, event, at);
  const metrics = count(state, event, next, effects, at.now);
  return [metrics === next.metrics ? next : { ...next, metrics }, effects];
}

function move(state: SessionState, event: SessionEvent, at: Moment): Step {
  if (event.type === "timer" && event.timer === "poll") {
    return [state, [{ type: "poll", symbols: [...state.wanted] }]];
  }
  if (event.type === "timer" && event.timer === "report") return onReportDue(state, at);
  const handler = (TRANSITIONS[state.phase][event.type] ?? ALWAYS[event.type]) as Handler<Kind> | undefined;
  return handler ? handler(state, event as never, at) : illegal(state, event);
}
