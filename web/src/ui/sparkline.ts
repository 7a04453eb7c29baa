/** The spark line's path. Pure. */

/** With fewer values than this the line is short: a few trades must not look like a long history. */
const FULL_WIDTH_AT = 30;
/** The least range of prices that fills the height, as a share of the price: one cent must not look like a crash. */
const LEAST_RANGE = 0.0005;

/**
 * An SVG path through `values`, the newest at the right edge of `width` by `height`, scaled to their own range; empty
 * with fewer than two.
 */
export function sparkPath(values: readonly number[], width: number, height: number): string {
  const first = values[0];
  if (first === undefined || values.length < 2) return "";
  let low = first;
  let high = first;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const middle = (low + high) / 2;
  const span = Math.max(high - low, Math.abs(middle) * LEAST_RANGE) || 1;
  const y = (value: number): string => (height * (0.5 - (value - middle) / span)).toFixed(1);
  const stepX = width / (Math.max(values.length, FULL_WIDTH_AT) - 1);
  const left = width - stepX * (values.length - 1);
  return values.map((value, i) => `${i === 0 ? "M" : "L"}${(left + i * stepX).toFixed(1)} ${y(value)}`).join("");
}
