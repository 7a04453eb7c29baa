/** What is wanted against what the gateway has acknowledged: the commands between the two, and their answers. */

import { makeId } from "./ids.ts";
import type { ErrorMessage, Results } from "./protocol.ts";
import type { Effect, Moment, Refusal, SessionState, Step } from "./state.ts";

/** Symbols in one command: far below any gateway's message limit. */
const CHUNK = 200;
export const RESUBSCRIBE_AFTER_MS = 30_000;

function commands(type: "subscribe" | "unsubscribe", symbols: readonly string[], at: Moment) {
  const messages = [];
  for (let i = 0; i < symbols.length; i += CHUNK) {
    const requestId = makeId(type === "subscribe" ? "sub" : "unsub", at.now, at.random);
    messages.push({ type, symbols: symbols.slice(i, i + CHUNK), requestId } as const);
  }
  return messages;
}

function asked(state: SessionState): Set<string> {
  return new Set([...state.accepted, ...state.refused.keys(), ...[...state.pending.values()].flat()]);
}

/** Ask for what is wanted and not yet asked for; give back what is no longer wanted. */
export function reconcile(state: SessionState, at: Moment): Step {
  const known = asked(state);
  const gone = new Set([...known].filter((symbol) => !state.wanted.has(symbol)));
  const adding = commands(
    "subscribe",
    [...state.wanted].filter((symbol) => !known.has(symbol)),
    at,
  );
  const dropping = commands(
    "unsubscribe",
    [...gone].filter((symbol) => !state.refused.has(symbol)),
    at,
  );
  // A symbol taken back while its acknowledgement is under way is forgotten there too, so that adding it again asks again.
  const pending = new Map([...state.pending].map(([id, names]) => [id, names.filter((name) => !gone.has(name))]));
  for (const message of adding) pending.set(message.requestId, message.symbols);
  const next: SessionState = {
    ...state,
    pending,
    accepted: new Set([...state.accepted].filter((symbol) => !gone.has(symbol))),
    refused: new Map([...state.refused].filter(([symbol]) => !gone.has(symbol))),
  };
  return [next, [...dropping, ...adding].map((message): Effect => ({ type: "send", message }))];
}

/** `subscribed`: note what was granted and what was not; ask again later for what may work later. */
export function acknowledge(state: SessionState, answer: Results): Step {
  const accepted = new Set(state.accepted);
  const refused = new Map(state.refused);
  for (const result of answer.results) {
    const symbol = result.symbol;
    if (symbol === undefined || !state.wanted.has(symbol)) continue;
    if (result.ok) {
      accepted.add(symbol);
      refused.delete(symbol);
    } else {
      accepted.delete(symbol);
      refused.set(symbol, refusal(result.code, result.reason, result.retryable));
    }
  }
  return settle({ ...state, accepted, refused }, answer.requestId);
}

/** `error` in answer to a subscribe: none of its symbols were added. */
export function decline(state: SessionState, answer: ErrorMessage): Step {
  const refused = new Map(state.refused);
  for (const symbol of state.pending.get(answer.requestId ?? "") ?? []) {
    refused.set(symbol, refusal(answer.code, answer.message, answer.retryable));
  }
  return settle({ ...state, refused }, answer.requestId);
}

/** Forget the refusals that may have passed, so that `reconcile` asks for these symbols once more. */
export function forgive(state: SessionState): SessionState {
  return { ...state, refused: new Map([...state.refused].filter(([, refused]) => !refused.retryable)) };
}

function refusal(code = "refused", reason = "the gateway refused this symbol", retryable = false): Refusal {
  return { code, reason, retryable };
}

function settle(state: SessionState, requestId: string | undefined): Step {
  const pending = new Map(state.pending);
  if (requestId !== undefined) pending.delete(requestId);
  const again = [...state.refused.values()].some((refused) => refused.retryable);
  const effects: Effect[] = again ? [{ type: "arm", timer: "resubscribe", afterMs: RESUBSCRIBE_AFTER_MS }] : [];
  return [{ ...state, pending }, effects];
}
