/** What the upstream panel says, as text. Pure. Times in ms, `now` by the gateway's clock. */

import { age, clock, count, NONE } from "../ui/format.ts";
import { reasonText } from "./reasons.ts";
import type { Budget, Person, UpstreamReport } from "./report.ts";

/** `fresh, made 12 min ago, valid for 18 min`. */
export function tokenLine(person: Person, now: number): string {
  const parts = [person.tokenState.replaceAll("-", " ")];
  if (person.tokenAgeS !== null) parts.push(`made ${age(person.tokenAgeS * 1000)} ago`);
  if (person.expiresAt !== null && !person.needsOperator) {
    const left = person.expiresAt - now;
    parts.push(left > 0 ? `valid for ${age(left)}` : `expired ${age(-left)} ago`);
  }
  return parts.join(", ");
}

/** `connected (live)`; while it is being had or not: which attempt, when the next one is, and why. */
export function streamLine(person: Person): string {
  const { stream } = person;
  if (!stream) return NONE;
  const parts = [
    stream.link === "" || stream.link === stream.state ? stream.state : `${stream.state} (${stream.link})`,
  ];
  if (stream.attempt > 0) parts.push(`attempt ${stream.attempt}`);
  if (person.nextAttemptInS !== null) parts.push(`next in ${Math.max(0, Math.ceil(person.nextAttemptInS))} s`);
  if (stream.reason !== "") parts.push(reasonText(stream.reason, "stream"));
  return parts.join("; ");
}

export const budgetSecond = (budget: Budget): string => `${count(budget.usedSecond)} of ${count(budget.perSecond)} / s`;

export function budgetHour(budget: Budget): string {
  const blocked = budget.blockedForS > 0 ? `, blocked for ${Math.ceil(budget.blockedForS)} s` : "";
  return `${count(budget.usedHour)} of ${count(budget.perHour)} / h${blocked}`;
}

/** Part of a limit used up, 0 to 1. */
export const share = (used: number, limit: number): number => (limit > 0 ? Math.min(1, Math.max(0, used / limit)) : 0);

/** `closed: time, quotes` with those that are not closed first: `open: quotes; closed: time`. */
export function breakerLine(person: Person): string {
  const states = [...new Set(person.breakers.map((breaker) => breaker.state))];
  states.sort((a, b) => Number(a === "closed") - Number(b === "closed"));
  const of = (state: string): string[] =>
    person.breakers.filter((breaker) => breaker.state === state).map((breaker) => breaker.endpoint);
  return states.map((state) => `${state.replaceAll("_", "-")}: ${of(state).join(", ")}`).join("; ") || NONE;
}

/** The panel's first line. */
export function headline(report: UpstreamReport, at: number): string {
  const working = report.persons.filter((person) => person.isActive).length;
  const persons = `${working} of ${report.persons.length} ${report.persons.length === 1 ? "login works" : "logins work"}`;
  const polled = report.polled > 0 ? `; ${count(report.polled)} symbols asked for at intervals` : "";
  return `${report.state}: ${reasonText(report.reason)}; ${persons}${polled}. As of ${clock(at)}.`;
}
