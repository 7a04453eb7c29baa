/** The upstream panel: how the gateway stands with Questrade, and this page with the gateway. Quotes stay in sight. */

import type { Storage } from "../app/watchlist.ts";
import type { MetricsReport } from "../client/metrics.ts";
import type { Happening, UpstreamReport } from "../upstream/report.ts";
import { reasonText } from "../upstream/reasons.ts";
import { headline } from "../upstream/words.ts";
import { Facts, find, make, setAttribute, slot } from "./dom.ts";
import { age, clock, count, latency, NONE } from "./format.ts";
import { PersonCard } from "./person.ts";

const KEY = "quotewire.panel";

export class Panel {
  readonly #panel = find("#panel");
  readonly #toggle = find<HTMLButtonElement>("#panel-toggle");
  readonly #persons = find("#panel-persons");
  readonly #happenings = find("#panel-happenings");
  readonly #headline = slot("#panel-headline");
  readonly #trouble = slot("#panel-trouble");
  readonly #health = new Facts(find("#panel-health"));
  readonly #cards = new Map<string, PersonCard>();
  readonly #storage: Storage;
  readonly #onToggle: (open: boolean) => void;
  #newest = "";

  constructor(storage: Storage, onToggle: (open: boolean) => void) {
    this.#storage = storage;
    this.#onToggle = onToggle;
    this.#toggle.addEventListener("click", () => this.#set(!this.open, true));
    this.#set(wasOpen(storage), false);
  }

  get open(): boolean {
    return !this.#panel.hidden;
  }

  #set(open: boolean, byHand: boolean): void {
    this.#panel.hidden = !open;
    setAttribute(this.#toggle, "aria-expanded", String(open));
    if (!byHand) return;
    try {
      this.#storage.setItem(KEY, open ? "open" : "closed");
    } catch {
      // A full or forbidden storage costs the memory of it, not the panel.
    }
    this.#onToggle(open);
  }

  /** Show `report`, which came at `now` (ms by this machine's clock); the gateway's clock is ahead by `offsetMs`. */
  update(report: UpstreamReport, now: number, offsetMs: number): void {
    this.#trouble.set("");
    this.#headline.set(headline(report, now));
    for (const [name, card] of this.#cards) {
      if (report.persons.some((person) => person.name === name)) continue;
      card.element.remove();
      this.#cards.delete(name);
    }
    for (const person of report.persons) {
      const card = this.#cards.get(person.name) ?? new PersonCard(person.name);
      if (!card.element.isConnected) this.#persons.append(card.element);
      this.#cards.set(person.name, card);
      card.update(person, now + offsetMs);
    }
    this.#list(report.last);
  }

  /** The report could not be had; what was shown before stays, with its time. */
  fail(message: string): void {
    this.#trouble.set(`Not up to date: ${message}.`);
  }

  /** How this page's own connection fares. */
  updateHealth(report: MetricsReport): void {
    const { connectionsAttempted: tried, connectionsSucceeded: had, connectionsFailed: failed } = report;
    this.#health.set("connection", report.status);
    this.#health.set("connections", `${count(tried)} attempted, ${count(had)} succeeded, ${count(failed)} failed`);
    this.#health.set("reconnections", count(report.reconnectionCount));
    this.#health.set("messages", `${count(report.messagesReceived)} in, ${count(report.messagesSent)} out`);
    this.#health.set("average latency", report.averageLatency === null ? NONE : latency(report.averageLatency));
    this.#health.set("last quote", clock(report.lastQuoteTime));
    this.#health.set("tokens renewed", count(report.tokenRefreshCount));
    this.#health.set("open for", age(report.uptime));
  }

  /** The list is made anew only when it has grown: somebody may be reading or copying. */
  #list(last: readonly Happening[]): void {
    const newest = JSON.stringify(last[0] ?? null);
    if (newest === this.#newest) return;
    this.#newest = newest;
    this.#happenings.replaceChildren(...last.map(entry));
  }
}

function wasOpen(storage: Storage): boolean {
  try {
    return storage.getItem(KEY) === "open";
  } catch {
    return false; // a browser that keeps nothing
  }
}

function entry(happening: Happening): HTMLLIElement {
  const why = reasonText(happening.reason, happening.event);
  return make(
    "li",
    { "data-event": happening.event },
    make("time", { datetime: new Date(happening.at).toISOString() }, clock(happening.at)),
    make("span", { class: "event" }, happening.event),
    make("span", { class: "person" }, happening.person || NONE),
    make("code", { title: why }, happening.reason),
    make("span", { class: "detail" }, happening.detail || why),
  );
}
