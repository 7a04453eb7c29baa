/** The watch list: rows in order, which of them can be seen, and when their spark lines are drawn. */

import type { Entry } from "../market/book.ts";
import { find } from "./dom.ts";
import { Row, type RowView } from "./row.ts";

/** A spark line is drawn anew at most this often. */
const SPARK_EVERY_MS = 250;
/** Rows within this much of the window count as seen. */
const MARGIN = "200px";

export interface TableOptions {
  readonly view: (symbol: string) => RowView;
  readonly onRemove: (symbol: string) => void;
}

export class Table {
  readonly #options: TableOptions;
  readonly #body = find("#rows");
  readonly #empty = find("#empty");
  readonly #rows = new Map<string, Row>();
  readonly #seen = new Set<string>();
  readonly #sparks = new Set<string>();
  readonly #observer: IntersectionObserver;

  constructor(options: TableOptions) {
    this.#options = options;
    this.#observer = new IntersectionObserver((changes) => this.#onSeen(changes), { rootMargin: MARGIN });
    setInterval(() => this.#drawSparks(), SPARK_EVERY_MS);
  }

  /** Show exactly these symbols in this order. Rows that stay are kept as they are. */
  setSymbols(symbols: readonly string[]): void {
    for (const [symbol, row] of this.#rows) if (!symbols.includes(symbol)) this.#drop(symbol, row);
    for (const symbol of symbols) {
      if (this.#rows.has(symbol)) continue;
      const row = new Row(symbol, () => this.#options.onRemove(symbol));
      this.#rows.set(symbol, row);
      this.#body.append(row.element);
      this.#observer.observe(row.element);
      row.update(this.#options.view(symbol));
    }
    this.#empty.hidden = symbols.length > 0;
  }

  /** Bring a row into sight and point it out. */
  reveal(symbol: string): void {
    const row = this.#rows.get(symbol)?.element;
    if (!row) return;
    row.scrollIntoView({ block: "nearest" });
    row.classList.remove("pointed-out");
    requestAnimationFrame(() => row.classList.add("pointed-out"));
  }

  update(symbols: Iterable<string>): void {
    for (const symbol of symbols) {
      this.#rows.get(symbol)?.update(this.#options.view(symbol));
      this.#sparks.add(symbol);
    }
  }

  updateAll(): void {
    this.update(this.#rows.keys());
  }

  updateAges(): void {
    for (const symbol of this.#seen) this.#rows.get(symbol)?.updateAge(this.#options.view(symbol));
  }

  #onSeen(changes: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of changes) {
      const symbol = (target as HTMLElement).dataset.symbol ?? "";
      if (!isIntersecting || !this.#rows.has(symbol)) {
        this.#seen.delete(symbol);
        continue;
      }
      this.#seen.add(symbol);
      this.#sparks.add(symbol);
      this.#rows.get(symbol)?.updateAge(this.#options.view(symbol));
    }
  }

  #drawSparks(): void {
    for (const symbol of this.#sparks) {
      if (!this.#seen.has(symbol)) continue;
      this.#sparks.delete(symbol);
      const entry: Entry | undefined = this.#options.view(symbol).entry;
      this.#rows.get(symbol)?.drawSpark(entry);
    }
  }

  #drop(symbol: string, row: Row): void {
    const { element } = row;
    if (element.contains(document.activeElement)) {
      // Whoever removes by keyboard goes on from the row that takes this one's place.
      const neighbour = element.nextElementSibling ?? element.previousElementSibling;
      (neighbour?.querySelector("button") ?? find("#search")).focus();
    }
    this.#observer.unobserve(element);
    element.remove();
    this.#rows.delete(symbol);
    this.#seen.delete(symbol);
    this.#sparks.delete(symbol);
  }
}
