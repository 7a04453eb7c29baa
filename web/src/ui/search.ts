/** The search box: a combobox that finds symbols at the gateway and adds the one chosen. */

import type { SymbolDetail } from "../client/api.ts";
import { find, make, setAttribute } from "./dom.ts";

/** Typing pauses this long before the gateway is asked. */
const PAUSE_MS = 150;
const SHOWN = 12;

export interface SearchOptions {
  readonly find: (prefix: string, signal: AbortSignal) => Promise<SymbolDetail[]>;
  readonly watched: (symbol: string) => boolean;
  readonly onChoose: (found: SymbolDetail) => void;
}

export class Search {
  readonly #options: SearchOptions;
  readonly #input = find<HTMLInputElement>("#search");
  readonly #panel = find("#results");
  readonly #list = find("#search-results");
  readonly #note = find("#search-note");
  #found: readonly SymbolDetail[] = [];
  /** The text `#found` belongs to. */
  #foundFor = "";
  #active = -1;
  /** Enter was pressed before the answer came. */
  #chooseFirst = false;
  #asking = new AbortController();
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SearchOptions) {
    this.#options = options;
    this.#input.addEventListener("input", () => this.#onInput());
    this.#input.addEventListener("keydown", (event) => this.#onKey(event));
    this.#input.addEventListener("blur", () => this.#close());
    this.#input.addEventListener("focus", () => this.#text && this.#onInput());
    document.addEventListener("keydown", (event) => this.#onShortcut(event));
  }

  get #text(): string {
    return this.#input.value.trim().toUpperCase();
  }

  #onShortcut(event: KeyboardEvent): void {
    const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#input.focus();
    this.#input.select();
  }

  #onInput(): void {
    clearTimeout(this.#pause);
    this.#asking.abort();
    this.#chooseFirst = false;
    if (this.#text === "") this.#close();
    else this.#pause = setTimeout(() => void this.#ask(), PAUSE_MS);
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#pause);
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const text = this.#text;
    try {
      const found = await this.#options.find(text, signal);
      if (!signal.aborted) this.#show(text, found);
    } catch (error) {
      if (!signal.aborted) this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #show(text: string, found: readonly SymbolDetail[]): void {
    // The symbol typed in full comes first, then the gateway's order.
    const exact = found.filter((detail) => detail.symbol === text);
    this.#found = [...exact, ...found.filter((detail) => detail.symbol !== text)].slice(0, SHOWN);
    this.#foundFor = text;
    this.#list.replaceChildren(...this.#found.map((detail, index) => this.#option(detail, index)));
    const more = found.length - this.#found.length;
    this.#note.textContent = found.length === 0 ? `No symbol found for “${text}”` : more > 0 ? `${more} more` : "";
    this.#open();
    this.#activate(this.#found.length > 0 ? 0 : -1);
    if (this.#chooseFirst) this.#choose(0);
  }

  #fail(message: string): void {
    this.#found = [];
    this.#list.replaceChildren();
    this.#note.textContent = `Search failed: ${message}`;
    this.#open();
  }

  #option(detail: SymbolDetail, index: number): HTMLElement {
    const where = [detail.listingExchange, detail.currency].filter(Boolean).join(" · ");
    const usable = detail.isQuotable !== false;
    const note = this.#options.watched(detail.symbol) ? "watched" : usable ? where : "no quotes";
    const option = make(
      "div",
      {
        id: `search-option-${index}`,
        role: "option",
        "data-testid": `search-result-${detail.symbol}`,
        "aria-selected": "false",
        "aria-disabled": String(!usable),
      },
      make("b", {}, detail.symbol),
      make("span", { class: "description" }, detail.description ?? ""),
      make("span", { class: "where" }, note),
    );
    // The box would lose the focus, and the list with it, before a click arrives.
    option.addEventListener("mousedown", (event) => event.preventDefault());
    option.addEventListener("click", () => this.#choose(index));
    return option;
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key === "ArrowDown") this.#activate(Math.min(this.#active + 1, this.#found.length - 1));
    else if (event.key === "ArrowUp") this.#activate(Math.max(this.#active - 1, 0));
    else if (event.key === "Enter") this.#onEnter();
    else if (event.key === "Escape") this.#onEscape();
    else return;
    event.preventDefault();
  }

  #onEnter(): void {
    if (this.#text === "") return;
    if (this.#foundFor === this.#text && !this.#panel.hidden) {
      this.#choose(this.#active);
      return;
    }
    void this.#ask();
    this.#chooseFirst = true;
  }

  #onEscape(): void {
    if (this.#panel.hidden) this.#input.blur();
    this.#input.value = "";
    this.#onInput();
  }

  #choose(index: number): void {
    const detail = this.#found[index];
    if (!detail || detail.isQuotable === false) return;
    this.#input.value = "";
    this.#onInput();
    this.#options.onChoose(detail);
  }

  #activate(index: number): void {
    this.#active = index;
    this.#list.querySelectorAll("[role=option]").forEach((option, i) => {
      setAttribute(option, "aria-selected", String(i === index));
      if (i === index) option.scrollIntoView({ block: "nearest" });
    });
    setAttribute(this.#input, "aria-activedescendant", index < 0 ? null : `search-option-${index}`);
  }

  #open(): void {
    this.#panel.hidden = false;
    setAttribute(this.#input, "aria-expanded", "true");
  }

  #close(): void {
    clearTimeout(this.#pause);
    this.#asking.abort();
    this.#panel.hidden = true;
    this.#foundFor = "";
    setAttribute(this.#input, "aria-expanded", "false");
    setAttribute(this.#input, "aria-activedescendant", null);
  }
}
