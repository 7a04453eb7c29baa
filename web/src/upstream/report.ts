/**
 * The gateway's `GET /api/upstream` as this page reads it. Pure. Only what is named here is taken over, whatever else
 * the answer holds; what is missing or of another kind than expected is left out, not guessed.
 */

/** Calls made in one person's name, of one of Questrade's two kinds. */
export interface Budget {
  readonly name: string;
  readonly usedSecond: number;
  readonly perSecond: number;
  readonly usedHour: number;
  readonly perHour: number;
  readonly blockedForS: number;
}

export interface Breaker {
  readonly endpoint: string;
  readonly state: string;
}

export interface Stream {
  readonly state: string;
  readonly link: string;
  readonly reason: string;
  readonly attempt: number;
}

export interface Person {
  readonly name: string;
  readonly isActive: boolean;
  readonly tokenState: string;
  readonly tokenAgeS: number | null;
  /** ms since 1970 */
  readonly expiresAt: number | null;
  readonly lastError: string;
  /** Nothing the gateway can do by itself brings this login back. */
  readonly needsOperator: boolean;
  readonly symbolCount: number;
  readonly stream: Stream | null;
  /** Seconds until the stream is tried again. */
  readonly nextAttemptInS: number | null;
  readonly budgets: readonly Budget[];
  readonly breakers: readonly Breaker[];
}

/** One entry of the list of last reasons. `at` in ms since 1970. */
export interface Happening {
  readonly at: number;
  readonly event: string;
  readonly reason: string;
  readonly person: string;
  readonly detail: string;
}

export interface UpstreamReport {
  readonly state: string;
  readonly reason: string;
  readonly persons: readonly Person[];
  readonly polled: number;
  /** Newest first. */
  readonly last: readonly Happening[];
}

export const MOST_HAPPENINGS = 50;
const MOST_PERSONS = 100;

type Row = Readonly<Record<string, unknown>>;

const row = (value: unknown): Row =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Row) : {};
const rows = (value: unknown): readonly Row[] => (Array.isArray(value) ? value.map(row) : []);
const text = (value: unknown, missing = ""): string => (typeof value === "string" ? value : missing);
const maybe = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);
const number = (value: unknown): number => maybe(value) ?? 0;

function budget(name: string, value: unknown): Budget {
  const it = row(value);
  const perHour = number(it.perHour);
  const left = maybe(it.leftHour);
  // Questrade's own count goes before the gateway's: other programs may use the same login.
  const usedHour = Math.max(number(it.usedHour), left === null ? 0 : perHour - left);
  return {
    name,
    usedSecond: number(it.usedSecond),
    perSecond: number(it.perSecond),
    usedHour,
    perHour,
    blockedForS: number(it.blockedForS),
  };
}

function stream(value: unknown): Stream | null {
  const it = row(value);
  if (typeof it.state !== "string") return null;
  const reason = it.reason === "none" ? "" : text(it.reason);
  return { state: it.state, link: text(it.link), reason, attempt: number(it.attempt) };
}

/** States of a token that only a new token ends, where the gateway does not say so itself. */
const DEAD: ReadonlySet<string> = new Set(["revoked", "spent-unknown"]);

function person(it: Row): Person {
  const tokenState = text(it.tokenState, "unknown");
  const isActive = it.isActive === true;
  const dead = !isActive && DEAD.has(tokenState);
  return {
    name: text(it.name, "?"),
    isActive,
    tokenState,
    tokenAgeS: maybe(it.tokenAgeS),
    expiresAt: maybe(it.expiresAt),
    lastError: text(it.lastError),
    needsOperator: typeof it.needsOperator === "boolean" ? it.needsOperator : dead,
    symbolCount: number(it.symbolCount),
    stream: stream(it.stream),
    nextAttemptInS: maybe(it.nextAttemptInS),
    budgets: Object.entries(row(it.budgets)).map(([name, value]) => budget(name, value)),
    breakers: Object.entries(row(it.breakers)).map(([endpoint, value]) => ({ endpoint, state: text(value, "?") })),
  };
}

const happening = (it: Row): Happening => ({
  at: number(it.at) * 1000,
  event: text(it.event),
  reason: text(it.reason),
  person: text(it.person),
  detail: text(it.detail),
});

export function parseReport(data: unknown): UpstreamReport {
  const it = row(data);
  const whole = row(it.state);
  return {
    state: text(whole.state, "unknown"),
    reason: text(whole.reason),
    persons: rows(it.persons).slice(0, MOST_PERSONS).map(person),
    polled: number(it.polled),
    last: rows(it.last).slice(0, MOST_HAPPENINGS).map(happening),
  };
}
