/** The native protocol, version 1 (spec/PROTOCOL.md): the messages as types, and the one place where text becomes one. */

export const PROTOCOL_VERSION = 1;
export const SUBPROTOCOL = "quotewire.v1.json";

/** How far the gateway trusts a quote. A newer gateway may know words that are not listed; they are kept as they come. */
export type Freshness = "live" | "quiet" | "stale" | "halted" | "closed" | "recovering" | (string & {});
export type Source = "stream" | "poll" | "backfill" | (string & {});
export type Price = number | null;

/** One quote. Prices in the symbol's currency, `receivedAt` in ms since 1970; null where Questrade has no value. */
export interface Quote {
  readonly symbol: string;
  readonly symbolId: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly freshness: Freshness;
  readonly source: Source;
  readonly delayed: boolean;
  readonly receivedAt: number;
  readonly bidPrice?: Price;
  readonly bidSize?: Price;
  readonly askPrice?: Price;
  readonly askSize?: Price;
  readonly lastTradePrice?: Price;
  readonly lastTradeSize?: Price;
  readonly lastTradeTime?: string | null;
  readonly volume?: Price;
}

/** The gateway's own connection to Questrade. */
export interface Upstream {
  readonly state: string;
  readonly reason: string;
  readonly since: number;
  readonly person?: string | null;
  readonly symbolCount?: number;
}

/** What became of one symbol of a command. */
export interface SymbolResult {
  readonly ok: boolean;
  readonly symbol?: string;
  readonly symbolId?: number;
  readonly code?: string;
  readonly reason?: string;
  readonly retryable?: boolean;
}

interface Answer {
  readonly requestId?: string;
  readonly timestamp?: number;
}

export interface Welcome extends Answer {
  readonly type: "welcome";
  readonly connectionId: string;
  readonly version: string;
  readonly serverTime: number;
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  readonly upstream: Upstream;
}
export interface Results extends Answer {
  readonly type: "subscribed" | "unsubscribed";
  readonly results: readonly SymbolResult[];
}
export interface QuotesMessage extends Answer {
  readonly type: "snapshot" | "quotes";
  readonly quotes: readonly Quote[];
  readonly skipped?: number;
}
export interface Status extends Answer {
  readonly type: "status";
  readonly upstream: Upstream;
}
export interface Pong extends Answer {
  readonly type: "pong";
  readonly serverTime: number;
}
export interface ErrorMessage extends Answer {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly retryable?: boolean;
}
export type ServerMessage = Welcome | Results | QuotesMessage | Status | Pong | ErrorMessage;

export type ClientMessage =
  | {
      readonly type: "hello";
      readonly protocol: number;
      readonly token: string;
      readonly connectionId: string;
      readonly clientVersion: string;
      readonly requestId: string;
    }
  | { readonly type: "subscribe" | "unsubscribe"; readonly symbols: readonly string[]; readonly requestId: string }
  | { readonly type: "ping"; readonly timestamp: number };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isUpstream = (value: unknown): boolean => isObject(value) && typeof value.state === "string";

/** True when `value` can be placed and ordered; prices are optional and may be null. */
export function isQuote(value: unknown): value is Quote {
  return (
    isObject(value) &&
    typeof value.symbol === "string" &&
    typeof value.epoch === "number" &&
    typeof value.sequence === "number" &&
    typeof value.freshness === "string" &&
    typeof value.receivedAt === "number"
  );
}

/** For each type, what it must hold to be worked with. Keys that are not named here are passed on or ignored. */
const SHAPES: Record<ServerMessage["type"], (message: Record<string, unknown>) => boolean> = {
  welcome: (m) =>
    typeof m.connectionId === "string" &&
    typeof m.serverTime === "number" &&
    typeof m.pingIntervalMs === "number" &&
    typeof m.pongTimeoutMs === "number" &&
    isUpstream(m.upstream),
  subscribed: (m) => Array.isArray(m.results) && m.results.every(isObject),
  unsubscribed: (m) => Array.isArray(m.results) && m.results.every(isObject),
  snapshot: (m) => Array.isArray(m.quotes) && m.quotes.every(isQuote),
  quotes: (m) => Array.isArray(m.quotes) && m.quotes.every(isQuote),
  status: (m) => isUpstream(m.upstream),
  pong: (m) => typeof m.serverTime === "number",
  error: (m) => typeof m.code === "string" && typeof m.message === "string",
};

/** What a text from the gateway says: a message, nothing we know (a newer gateway may say more), or nonsense. */
export type Decoded = ServerMessage | "unknown" | "malformed";

export function decode(text: string): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "malformed";
  }
  if (!isObject(value) || typeof value.type !== "string") return "malformed";
  if (!Object.hasOwn(SHAPES, value.type)) return "unknown";
  const type = value.type as ServerMessage["type"];
  return SHAPES[type](value) ? (value as unknown as ServerMessage) : "malformed";
}
