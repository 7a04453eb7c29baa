/** Names for connections and requests: `<kind>-<time>-<random>`. */

export type Kind = "ws" | "hello" | "sub" | "unsub";

/** `now` in ms since 1970, `random` gives numbers in [0, 1). The last part always has nine characters. */
export function makeId(kind: Kind, now: number, random: () => number): string {
  let tail = "";
  for (let i = 0; i < 9; i += 1) tail += Math.floor(random() * 36).toString(36);
  return `${kind}-${now}-${tail}`;
}
