/** What a row may claim about its quote now. The gateway judges its side; this page judges the road to the gateway. */

import { type SessionConfig, type SessionState, statusOf } from "../client/state.ts";
import type { Entry } from "./book.ts";

/** The gateway's words, and `polled`: true some seconds ago, as no connection brings changes at once. */
export type Shown = "live" | "quiet" | "stale" | "halted" | "closed" | "recovering" | "polled" | "waiting" | "refused";

const KNOWN: ReadonlySet<string> = new Set(["live", "quiet", "stale", "halted", "closed", "recovering"]);
const CURRENT: ReadonlySet<string> = new Set(["live", "quiet", "recovering"]);

/** A polled quote is believed for this many polling intervals. */
const POLLS_BELIEVED = 2;

/** A word of a newer gateway that is not known here is not trusted. */
const own = (entry: Entry): Shown => (KNOWN.has(entry.quote.freshness) ? (entry.quote.freshness as Shown) : "stale");

/** How many rows show something other than a current quote of a live connection. */
export interface Tally {
  readonly stale: number;
  readonly recovering: number;
  readonly polled: number;
}

/** Count rows by word; what the gateway polls is its `recovering` from the source `poll`. */
export function tally(rows: Iterable<{ readonly shown: Shown; readonly source: string | undefined }>): Tally {
  let [stale, recovering, polled] = [0, 0, 0];
  for (const { shown, source } of rows) {
    if (shown === "stale") stale += 1;
    else if (shown === "polled" || (shown === "recovering" && source === "poll")) polled += 1;
    else if (shown === "recovering") recovering += 1;
  }
  return { stale, recovering, polled };
}

/** The word for one row. Whatever was not confirmed over the road that is open now is never shown as live. */
export function shown(
  symbol: string,
  entry: Entry | undefined,
  state: SessionState,
  config: SessionConfig,
  now: number,
): Shown {
  if (state.refused.has(symbol)) return "refused";
  if (!entry) return "waiting";
  switch (statusOf(state, config)) {
    case "connected":
      return entry.confirmedAt >= (state.linkedAt ?? now) ? own(entry) : "recovering";
    case "degraded":
      if (now - entry.confirmedAt > POLLS_BELIEVED * config.pollingIntervalMs || state.pollFailure) return "stale";
      return CURRENT.has(entry.quote.freshness) ? "polled" : own(entry);
    default:
      return "stale";
  }
}
