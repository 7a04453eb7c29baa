/** What a close code asks for (spec/PROTOCOL.md section 7). Of 4000 to 4999 the range alone decides. */

export type Verdict = "new-token" | "reconnect" | "stay-away";

export const CLOSE_NORMAL = 1000;
export const CLOSE_TOKEN_REFUSED = 4001;

const STAY_AWAY = new Set([CLOSE_NORMAL, 1002, 1003, 1007, 1009, 1010]);

export function verdict(code: number): Verdict {
  if (code === CLOSE_TOKEN_REFUSED) return "new-token";
  if (code >= 4500 && code <= 4999) return "stay-away";
  return STAY_AWAY.has(code) ? "stay-away" : "reconnect";
}

const WORDS: ReadonlyMap<number, string> = new Map([
  [1000, "the gateway closed the connection"],
  [1001, "the gateway is stopping"],
  [1005, "the connection was lost"],
  [1006, "the connection was lost"],
  [1011, "the gateway failed"],
  [4001, "the token was refused or has expired"],
  [4002, "authentication took too long"],
  [4003, "the gateway heard no answer to its ping"],
  [4004, "the connection was idle for too long"],
  [4005, "this page could not keep up"],
  [4502, "this page and the gateway speak different versions; reload the page"],
]);

/** A sentence without its full stop: ours where we have one, else what the gateway said. */
export function explain(code: number, said: string): string {
  return WORDS.get(code) ?? (said || `the connection was closed with code ${code}`);
}
