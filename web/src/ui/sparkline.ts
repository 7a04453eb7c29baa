/** The spark line's path. Pure. */

/** An SVG path through `values`, oldest at the left, filling `width` by `height`; empty when there is nothing to draw. */
export function sparkPath(values: readonly number[], width: number, height: number): string {
  const first = values[0];
  if (first === undefined) return "";
  let low = first;
  let high = first;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const span = high - low;
  const y = (value: number): string => (span === 0 ? height / 2 : height * (1 - (value - low) / span)).toFixed(1);
  if (values.length === 1) return `M0 ${y(first)}H${width}`;
  const stepX = width / (values.length - 1);
  return values.map((value, i) => `${i === 0 ? "M" : "L"}${(i * stepX).toFixed(1)} ${y(value)}`).join("");
}
