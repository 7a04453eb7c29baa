/** One row of the watch list: builds its cells once, then touches only what differs. */

import type { SymbolDetail } from "../client/api.ts";
import type { Refusal } from "../client/state.ts";
import type { Entry } from "../market/book.ts";
import type { Shown } from "../market/trust.ts";
import { make, setAttribute, TextSlot } from "./dom.ts";
import { age, change, count, NONE, price, size } from "./format.ts";
import { meaning } from "./meaning.ts";
import { sparkPath } from "./sparkline.ts";

const SPARK_WIDTH = 100;
const SPARK_HEIGHT = 20;
const SVG = "http://www.w3.org/2000/svg";

/** What a row shows. `now` in ms by the gateway's clock, as quotes carry its times. */
export interface RowView {
  readonly entry: Entry | undefined;
  readonly detail: SymbolDetail | undefined;
  readonly refusal: Refusal | undefined;
  readonly shown: Shown;
  readonly now: number;
}

/** A price with its size that flashes when the price moves. */
class PriceCell {
  readonly cell: HTMLTableCellElement;
  readonly #price = new TextSlot();
  readonly #size = new TextSlot();
  #value: number | null = null;
  #turn = false;

  constructor(name: string) {
    const sizes = make("span", { class: "size" }, this.#size.node);
    this.cell = make("td", { role: "cell", class: `number ${name}`, "data-testid": name }, this.#price.node, sizes);
  }

  update(value: number | null | undefined, sizeValue?: number | null): void {
    this.#size.set(size(sizeValue));
    const before = this.#value;
    this.#value = value ?? null;
    if (!this.#price.set(price(value)) || before === null || this.#value === null) return;
    // Two names for one animation: changing the name starts it anew without a forced layout.
    this.#turn = !this.#turn;
    const direction = this.#value >= before ? "up" : "down";
    setAttribute(this.cell, "data-flash", `${direction}-${this.#turn ? "a" : "b"}`);
  }
}

/** A cell of plain text. */
function textCell(name: string, slot: TextSlot, kind = "number"): HTMLTableCellElement {
  return make("td", { role: "cell", class: `${kind} ${name}`, "data-testid": name }, slot.node);
}

export class Row {
  readonly element: HTMLTableRowElement;
  readonly #bid = new PriceCell("bid");
  readonly #ask = new PriceCell("ask");
  readonly #last = new PriceCell("last");
  readonly #text = {
    description: new TextSlot(),
    badge: new TextSlot(),
    change: new TextSlot(),
    percent: new TextSlot(),
    volume: new TextSlot(),
    word: new TextSlot(),
    source: new TextSlot(),
    age: new TextSlot(),
  };
  readonly #spark = document.createElementNS(SVG, "path");
  readonly #badge: HTMLElement;
  readonly #source: HTMLElement;
  readonly #freshness: HTMLTableCellElement;
  #drawn = "";
  #since = 0;

  constructor(symbol: string, onRemove: () => void) {
    const text = this.#text;
    this.#badge = make("span", { class: "badge delayed", "data-testid": "delayed", hidden: "" }, text.badge.node);
    this.#source = make("span", { class: "badge source", "data-testid": "source", hidden: "" }, text.source.node);
    const name = make("th", { role: "rowheader", scope: "row", class: "symbol" }, make("b", {}, symbol), this.#badge);
    name.append(make("span", { class: "description" }, text.description.node));
    const word = make("span", { class: "word", "data-testid": "freshness" }, text.word.node);
    const mark = make("span", { class: "mark", "aria-hidden": "true" });
    const aged = make("span", { class: "age", "data-testid": "age" }, text.age.node);
    this.#freshness = make("td", { role: "cell", class: "freshness" }, mark, word, this.#source, aged);
    const remove = make("button", { type: "button", "aria-label": `Remove ${symbol}`, "data-testid": "remove" }, "×");
    remove.addEventListener("click", onRemove);
    this.element = make(
      "tr",
      { role: "row", "data-testid": `row-${symbol}`, "data-symbol": symbol },
      name,
      this.#bid.cell,
      this.#ask.cell,
      this.#last.cell,
      textCell("change", text.change),
      textCell("percent", text.percent),
      textCell("volume", text.volume),
      this.#sparkCell(),
      this.#freshness,
      make("td", { role: "cell", class: "actions" }, remove),
    );
  }

  update(view: RowView): void {
    const quote = view.entry?.quote;
    const moved = change(quote?.lastTradePrice, view.detail?.prevDayClosePrice);
    this.#bid.update(quote?.bidPrice, quote?.bidSize);
    this.#ask.update(quote?.askPrice, quote?.askSize);
    this.#last.update(quote?.lastTradePrice);
    this.#text.change.set(moved.amount);
    this.#text.percent.set(moved.percent);
    this.#text.volume.set(count(quote?.volume));
    this.#text.description.set(view.refusal?.reason ?? view.detail?.description ?? "");
    this.#toggle(this.#badge, this.#text.badge, quote?.delayed ? "delayed" : "");
    const elsewhere = quote && quote.source !== "stream" && view.shown !== "polled";
    this.#toggle(this.#source, this.#text.source, elsewhere ? quote.source : "");
    if (this.#text.word.set(view.shown)) this.#since = view.now;
    const told = { shown: view.shown, source: quote?.source, since: this.#since, receivedAt: quote?.receivedAt };
    setAttribute(this.#freshness, "title", meaning(told));
    setAttribute(this.element, "data-freshness", view.shown);
    setAttribute(this.element, "data-direction", moved.direction);
    this.updateAge(view);
  }

  /** The one thing that changes by itself. */
  updateAge(view: Pick<RowView, "entry" | "now">): void {
    const at = view.entry?.quote.receivedAt;
    this.#text.age.set(at === undefined ? NONE : age(view.now - at));
  }

  drawSpark(entry: Entry | undefined): void {
    const path = entry ? sparkPath(entry.trades.values(), SPARK_WIDTH, SPARK_HEIGHT) : "";
    if (path === this.#drawn) return;
    this.#drawn = path;
    this.#spark.setAttribute("d", path);
  }

  #toggle(element: HTMLElement, slot: TextSlot, text: string): void {
    if (slot.set(text)) element.hidden = text === "";
  }

  #sparkCell(): HTMLTableCellElement {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 -2 ${SPARK_WIDTH} ${SPARK_HEIGHT + 4}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(this.#spark);
    return make("td", { role: "cell", class: "spark", "data-testid": "spark" }, svg);
  }
}
