/** One person in the upstream panel: token, stream, budgets, breakers, and what to do when only the operator can help. */

import type { Budget, Person } from "../upstream/report.ts";
import { breakerLine, budgetHour, budgetSecond, share, streamLine, tokenLine } from "../upstream/words.ts";
import { Facts, make, setAttribute, TextSlot } from "./dom.ts";
import { count } from "./format.ts";

/** One limit as a bar with its numbers. */
class Bar {
  readonly element: HTMLElement;
  readonly #text = new TextSlot();
  readonly #fill = make("span", { class: "fill" });

  constructor(name: string) {
    const track = make("span", { class: "track", "aria-hidden": "true" }, this.#fill);
    this.element = make("span", { class: "bar", "data-testid": name }, track, this.#text.node);
  }

  update(text: string, used: number): void {
    this.#text.set(text);
    this.#fill.style.width = `${(100 * used).toFixed(1)}%`;
    setAttribute(this.element, "data-level", used >= 0.95 ? "full" : used >= 0.8 ? "high" : null);
  }
}

class BudgetLine {
  readonly element: HTMLElement;
  readonly #second: Bar;
  readonly #hour: Bar;

  constructor(name: string) {
    this.#second = new Bar(`budget-${name}-second`);
    this.#hour = new Bar(`budget-${name}-hour`);
    const label = make("span", { class: "label" }, `${name} calls`);
    this.element = make("div", { class: "budget" }, label, this.#second.element, this.#hour.element);
  }

  update(budget: Budget): void {
    this.#second.update(budgetSecond(budget), share(budget.usedSecond, budget.perSecond));
    this.#hour.update(budgetHour(budget), share(budget.usedHour, budget.perHour));
    setAttribute(this.element, "data-blocked", budget.blockedForS > 0 ? "" : null);
  }
}

export class PersonCard {
  readonly element: HTMLLIElement;
  readonly #mark = make("span", { class: "mark", "aria-hidden": "true" });
  readonly #word = new TextSlot();
  readonly #error = new TextSlot();
  readonly #errorLine = make("p", { class: "error", "data-testid": "person-error" }, this.#error.node);
  readonly #facts: Facts;
  readonly #budgets = make("div", { class: "budgets" });
  readonly #lines = new Map<string, BudgetLine>();

  constructor(name: string) {
    const facts = make("dl", {});
    this.#facts = new Facts(facts);
    const word = make("span", { class: "word", "data-testid": "person-word" }, this.#word.node);
    const title = make("h3", {}, this.#mark, make("b", {}, name), word);
    const attributes = { class: "person-card", "data-testid": `person-${name}` };
    this.element = make("li", attributes, title, this.#errorLine, facts, this.#budgets);
  }

  /** `now` in ms by the gateway's clock. */
  update(person: Person, now: number): void {
    const standing = standingOf(person);
    setAttribute(this.element, "data-standing", standing);
    this.#word.set(WORDS[standing]);
    this.#error.set(person.lastError);
    this.#errorLine.hidden = person.lastError === "";
    this.#facts.set("token", tokenLine(person, now));
    this.#facts.set("stream", streamLine(person));
    this.#facts.set("symbols", count(person.symbolCount));
    this.#facts.set("breakers", breakerLine(person));
    for (const budget of person.budgets) this.#line(budget.name).update(budget);
  }

  #line(name: string): BudgetLine {
    let line = this.#lines.get(name);
    if (!line) {
      line = new BudgetLine(name);
      this.#lines.set(name, line);
      this.#budgets.append(line.element);
    }
    return line;
  }
}

type Standing = "operator" | "broken" | "renewing" | "working";

const WORDS: Readonly<Record<Standing, string>> = {
  operator: "needs you",
  broken: "does not work now",
  renewing: "logging in",
  working: "works",
};

function standingOf(person: Person): Standing {
  if (person.needsOperator) return "operator";
  if (person.isActive) return "working";
  return person.tokenState === "refreshing" ? "renewing" : "broken";
}
