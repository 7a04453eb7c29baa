/** The symbols this browser watches, in order, kept across visits. */

const KEY = "quotewire.watchlist";
const FIRST: readonly string[] = ["AAPL", "MSFT", "SHOP.TO", "RY.TO", "XIU.TO", "SPY"];
const LIMIT = 5_000;

export type Storage = Pick<globalThis.Storage, "getItem" | "setItem">;

/** This browser's storage, or one that forgets where the browser forbids it. */
export function browserStorage(): Storage {
  try {
    return globalThis.localStorage;
  } catch {
    return { getItem: () => null, setItem: () => undefined };
  }
}

const isSymbol = (value: unknown): value is string => typeof value === "string" && value !== "" && value.length <= 64;

function stored(storage: Storage): readonly string[] {
  try {
    const list: unknown = JSON.parse(storage.getItem(KEY) ?? "");
    return Array.isArray(list) ? [...new Set(list.filter(isSymbol))].slice(0, LIMIT) : FIRST;
  } catch {
    return FIRST; // nothing stored, unreadable, or a browser that keeps nothing: start as on a first visit
  }
}

export class WatchList {
  readonly #storage: Storage;
  #symbols: readonly string[];

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#symbols = stored(storage);
  }

  get symbols(): readonly string[] {
    return this.#symbols;
  }

  has(symbol: string): boolean {
    return this.#symbols.includes(symbol);
  }

  add(symbol: string): void {
    if (!this.has(symbol)) this.#keep([...this.#symbols, symbol]);
  }

  remove(symbol: string): void {
    this.#keep(this.#symbols.filter((other) => other !== symbol));
  }

  /** Take over what another tab of this browser stored. */
  reload(): void {
    this.#symbols = stored(this.#storage);
  }

  #keep(symbols: readonly string[]): void {
    this.#symbols = symbols;
    try {
      this.#storage.setItem(KEY, JSON.stringify(symbols));
    } catch {
      // A full or forbidden storage costs the memory of the list, not the list.
    }
  }
}

/** The storage event's key, for those who listen. */
export const WATCHLIST_KEY = KEY;
