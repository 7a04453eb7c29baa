/** The gateway's REST paths, each as one function. All answer `{success, data}` or `{success: false, error}`. */

import { parseReport, type UpstreamReport } from "../upstream/report.ts";
import type { MetricsReport } from "./metrics.ts";
import { isQuote, type Quote } from "./protocol.ts";

/** What the gateway tells of one symbol. */
export interface SymbolDetail {
  readonly symbol: string;
  readonly symbolId: number;
  readonly description?: string;
  readonly securityType?: string;
  readonly listingExchange?: string;
  readonly currency?: string;
  readonly isTradable?: boolean;
  readonly isQuotable?: boolean;
  readonly prevDayClosePrice?: number | null;
}

/** A call that failed. The message is a clause for people; `status` is HTTP's, 0 when there was no answer at all. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;
/** Send JSON text that outlives the page; false when the browser would not take it. */
export type Beacon = (url: string, text: string) => boolean;

const TIMEOUT_MS = 10_000;
/** Symbols in one request for quotes; the gateway takes up to a thousand. */
const BATCH = 500;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const isDetail = (value: unknown): value is SymbolDetail => isObject(value) && typeof value.symbolId === "number";

export class Api {
  readonly #base: string;
  readonly #fetch: Fetch;
  readonly #beacon: Beacon;

  /** `base` has no slash at its end. */
  constructor(base: string, fetcher: Fetch, beacon: Beacon = () => false) {
    this.#base = base;
    this.#fetch = fetcher;
    this.#beacon = beacon;
  }

  /** Names of the persons the gateway can connect as, the active ones first. */
  async persons(signal: AbortSignal): Promise<string[]> {
    const data = await this.#call("/api-auth/persons", signal);
    const rows = (Array.isArray(data) ? data : []).filter(isObject);
    const ordered = [...rows.filter((row) => row.isActive !== false), ...rows.filter((row) => row.isActive === false)];
    return ordered.map((row) => row.personName).filter((name): name is string => typeof name === "string");
  }

  /** A token for the quote stream; `refresh` asks for a new one. */
  async token(person: string, refresh: boolean, signal: AbortSignal): Promise<string> {
    const path = `/api-auth/auth/access-token/${encodeURIComponent(person)}${refresh ? "?refresh=true" : ""}`;
    const data = await this.#call(path, signal);
    if (isObject(data) && typeof data.accessToken === "string") return data.accessToken;
    throw new ApiError("the gateway gave no token", 200);
  }

  async search(prefix: string, signal: AbortSignal): Promise<SymbolDetail[]> {
    const data = await this.#call(`/api-market/symbols/search?prefix=${encodeURIComponent(prefix)}`, signal);
    const rows = Array.isArray(data) ? data.filter(isDetail) : [];
    return rows.filter((row) => typeof row.symbol === "string");
  }

  /** Details by symbol; those the gateway does not know are left out. */
  async lookup(symbols: readonly string[], signal: AbortSignal): Promise<Map<string, SymbolDetail>> {
    const data = await this.#call("/api-market/symbols/lookup", signal, { symbols });
    return new Map(
      Object.entries(isObject(data) ? data : {}).filter((pair): pair is [string, SymbolDetail] => isDetail(pair[1])),
    );
  }

  /** The quotes as they stand now, of as many symbols as have one. */
  async quotes(symbols: readonly string[], signal: AbortSignal): Promise<Quote[]> {
    const chunks = Array.from({ length: Math.ceil(symbols.length / BATCH) }, (_, i) =>
      symbols.slice(i * BATCH, (i + 1) * BATCH),
    );
    const answers = await Promise.all(
      chunks.map((chunk) => this.#call("/api-market/quotes/batch", signal, { symbols: chunk })),
    );
    return answers.flatMap((data) => (Array.isArray(data) ? data.filter(isQuote) : []));
  }

  /** How the gateway stands with Questrade: persons, streams, budgets, breakers and the last reasons. */
  async upstream(signal: AbortSignal): Promise<UpstreamReport> {
    return parseReport(await this.#call("/api/upstream", signal));
  }

  /** Hand in this page's metrics. Nothing hangs on it: a gateway that collects none, or is away, is not asked again. */
  report(report: MetricsReport, leaving: boolean): void {
    const path = "/api/metrics/websocket";
    if (leaving && this.#beacon(this.#base + path, JSON.stringify(report))) return;
    this.#call(path, new AbortController().signal, report).catch(() => undefined);
  }

  async #call(path: string, signal: AbortSignal, body?: unknown): Promise<unknown> {
    const init: RequestInit = { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]), cache: "no-store" };
    if (body !== undefined) {
      Object.assign(init, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
    }
    let response: Response;
    try {
      response = await this.#fetch(this.#base + path, init);
    } catch (error) {
      if (signal.aborted) throw error;
      const late = error instanceof DOMException && error.name === "TimeoutError";
      throw new ApiError(late ? "the gateway did not answer in time" : "the gateway cannot be reached", 0);
    }
    const answer: unknown = await response.json().catch(() => null);
    if (response.ok && isObject(answer) && answer.success === true) return answer.data;
    const said = isObject(answer) && typeof answer.error === "string" ? answer.error : `HTTP ${response.status}`;
    throw new ApiError(said, response.status);
  }
}
