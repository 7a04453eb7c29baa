/** What is known of each symbol beside its quote: name and previous close, asked for in batches. */

import type { Api, SymbolDetail } from "../client/api.ts";

const CHUNK = 100;
/** The previous close changes once a day; a page may stay open for weeks. */
const REFRESH_AFTER_MS = 15 * 60_000;

export class Directory {
  readonly #api: Api;
  readonly #onKnown: (symbols: Iterable<string>) => void;
  readonly #details = new Map<string, SymbolDetail>();
  readonly #askedAt = new Map<string, number>();
  readonly #never = new AbortController();

  constructor(api: Api, onKnown: (symbols: Iterable<string>) => void) {
    this.#api = api;
    this.#onKnown = onKnown;
  }

  get(symbol: string): SymbolDetail | undefined {
    return this.#details.get(symbol);
  }

  /** Ask for those of `symbols` that are unknown or were asked for long ago. A failure is made good at the next call. */
  async refresh(symbols: readonly string[], now: number): Promise<void> {
    const due = symbols.filter((symbol) => now - (this.#askedAt.get(symbol) ?? -Infinity) >= REFRESH_AFTER_MS);
    for (const symbol of due) this.#askedAt.set(symbol, now);
    for (let i = 0; i < due.length; i += CHUNK) {
      const chunk = due.slice(i, i + CHUNK);
      try {
        const found = await this.#api.lookup(chunk, this.#never.signal);
        for (const [symbol, detail] of found) this.#details.set(symbol, detail);
        this.#onKnown(found.keys());
      } catch {
        for (const symbol of chunk) this.#askedAt.delete(symbol);
      }
    }
  }
}
