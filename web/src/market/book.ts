/** The last known quote of each watched symbol. Old and repeated updates are dropped here, and nowhere else. */

import type { Quote } from "../client/protocol.ts";
import { History } from "./history.ts";
import { compare } from "./position.ts";

/** Trades a spark line shows. */
export const HISTORY_LENGTH = 120;

export interface Entry {
  quote: Quote;
  readonly trades: History;
  /** When the gateway last spoke of this symbol, in ms by this machine's clock. */
  confirmedAt: number;
}

function traded(before: Quote | undefined, after: Quote): boolean {
  if (typeof after.lastTradePrice !== "number") return false;
  if (!before) return true;
  return (
    before.lastTradePrice !== after.lastTradePrice ||
    before.lastTradeTime !== after.lastTradeTime ||
    before.volume !== after.volume
  );
}

/** Quotes by symbol, of those symbols only that are watched. */
export class Book {
  readonly #entries = new Map<string, Entry>();
  #watched: ReadonlySet<string> = new Set();
  #dropped = 0;

  /** Updates that were not newer than what was known. */
  get dropped(): number {
    return this.#dropped;
  }

  get(symbol: string): Entry | undefined {
    return this.#entries.get(symbol);
  }

  /** Watch exactly these; what is known of others is forgotten. */
  watch(symbols: readonly string[]): void {
    this.#watched = new Set(symbols);
    for (const symbol of this.#entries.keys()) if (!this.#watched.has(symbol)) this.#entries.delete(symbol);
  }

  /**
   * Take in what the gateway sent at `now` (ms). Returns true when the quote is news. One with the position already
   * known changes nothing but confirms that it still stands; an older one does nothing.
   */
  apply(quote: Quote, now: number): boolean {
    if (!this.#watched.has(quote.symbol)) return false;
    const entry = this.#entries.get(quote.symbol);
    const order = entry ? compare(quote, entry.quote) : 1;
    if (order >= 0 && entry) entry.confirmedAt = now;
    if (order <= 0) {
      this.#dropped += 1;
      return false;
    }
    const known = entry ?? { quote, trades: new History(HISTORY_LENGTH), confirmedAt: now };
    if (traded(entry?.quote, quote)) known.trades.push(quote.lastTradePrice as number);
    known.quote = quote;
    this.#entries.set(quote.symbol, known);
    return true;
  }
}
