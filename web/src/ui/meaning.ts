/** What the word of a row means and since when it stands, as its tooltip says it. Pure. */

import type { Shown } from "../market/trust.ts";
import { clock } from "./format.ts";

const MEANINGS: Readonly<Record<Shown, string>> = {
  live: "the quote is current",
  quiet: "current: the stream is up, nothing has changed for a while",
  stale: "the last value known; it may be out of date",
  halted: "trading in this symbol is halted",
  closed: "the market is closed; this is its last quote",
  recovering: "the connection is being repaired, the first new quote is awaited; this is from before",
  polled: "asked for at intervals, as there is no live connection",
  waiting: "no quote has come yet",
  refused: "the gateway does not serve this symbol",
};
const POLLED_BY_GATEWAY =
  "no stream carries it now: the gateway asks at intervals, between which the price may have moved";

export interface Meaning {
  readonly shown: Shown;
  readonly source: string | undefined;
  /** When the word came up on this page; ms. */
  readonly since: number;
  /** When the last data came from Questrade; ms. */
  readonly receivedAt: number | undefined;
}

export function meaning({ shown, source, since, receivedAt }: Meaning): string {
  const text = shown === "recovering" && source === "poll" ? POLLED_BY_GATEWAY : MEANINGS[shown];
  const dated = receivedAt !== undefined && shown !== "live" && shown !== "quiet"; // for those two the row's age says it
  const last = dated ? `; last data at ${clock(receivedAt)}` : "";
  return `${shown} since ${clock(since)}: ${text}${last}`;
}
