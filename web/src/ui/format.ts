/** Numbers and times as people read them. Pure. */

/** What stands where there is no value. */
export const NONE = "–";
const MINUS = "−";

const GROUPED = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

type Maybe = number | null | undefined;
const isNumber = (value: Maybe): value is number => typeof value === "number" && Number.isFinite(value);

/** Decimals a price needs: two, four below one, and as many as it has in between (midpoint trades), at most four. */
export function decimalsOf(value: number): number {
  if (Math.abs(value) < 1) return 4;
  for (let digits = 2; digits < 4; digits += 1) {
    if (Math.abs(value - Number(value.toFixed(digits))) < 1e-7) return digits;
  }
  return 4;
}

function decimal(value: number, digits: number): string {
  const text = value.toFixed(digits);
  if (Math.abs(value) < 1000) return text;
  const [whole = "", fraction = ""] = text.split(".");
  return `${GROUPED.format(Number(whole))}.${fraction}`;
}

export const price = (value: Maybe): string => (isNumber(value) ? decimal(value, decimalsOf(value)) : NONE);

export const count = (value: Maybe): string => (isNumber(value) ? GROUPED.format(value) : NONE);

/** ` × 12`, and nothing where there is no size. */
export const size = (value: Maybe): string => (isNumber(value) ? `× ${GROUPED.format(value)}` : "");

function signed(value: number, digits: number): string {
  const text = decimal(Math.abs(value), digits);
  if (!/[1-9]/.test(text)) return text;
  return `${value > 0 ? "+" : MINUS}${text}`;
}

export interface Change {
  readonly amount: string;
  readonly percent: string;
  readonly direction: "up" | "down" | "flat";
}

/** Against the previous close. A change that rounds to nothing is flat. */
export function change(last: Maybe, previousClose: Maybe): Change {
  if (!isNumber(last) || !isNumber(previousClose) || previousClose === 0) {
    return { amount: NONE, percent: NONE, direction: "flat" };
  }
  const difference = last - previousClose;
  const amount = signed(difference, Math.max(2, Math.min(4, decimalsOf(last))));
  const percent = `${signed((100 * difference) / previousClose, 2)} %`;
  const direction = amount.startsWith("+") ? "up" : amount.startsWith(MINUS) ? "down" : "flat";
  return { amount, percent, direction };
}

const STEPS: readonly (readonly [number, string])[] = [
  [60, "s"],
  [60, "min"],
  [24, "h"],
];

/** An age in its largest whole unit: `0 s`, `45 s`, `12 min`, `3 h`, `2 d`. */
export function age(ms: number): string {
  let value = Math.max(0, Math.floor(ms / 1000));
  for (const [limit, unit] of STEPS) {
    if (value < limit) return `${value} ${unit}`;
    value = Math.floor(value / limit);
  }
  return `${value} d`;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Local time of day, `09:31:07`. */
export function clock(ms: number | null): string {
  if (ms === null) return NONE;
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export const latency = (ms: number): string => (ms < 1 ? "under 1 ms" : `${Math.round(ms)} ms`);
