/** Puts the parts together: client, book, directory, watch list, and what is seen of them. */

import { Api, type Beacon } from "../client/api.ts";
import { Client } from "../client/client.ts";
import { watchEnvironment } from "../client/environment.ts";
import { metricsReport } from "../client/metrics.ts";
import type { Quote } from "../client/protocol.ts";
import type { SessionState } from "../client/state.ts";
import { openWebSocket } from "../client/transport.ts";
import type { Config } from "../config.ts";
import { Book } from "../market/book.ts";
import { shown, type Tally, tally } from "../market/trust.ts";
import { FrameBatch } from "../ui/frame.ts";
import { Header } from "../ui/header.ts";
import { Panel } from "../ui/panel.ts";
import type { RowView } from "../ui/row.ts";
import { Search } from "../ui/search.ts";
import { Table } from "../ui/table.ts";
import { Directory } from "./directory.ts";
import { UpstreamWatch } from "./upstream-watch.ts";
import { browserStorage, WATCHLIST_KEY, WatchList } from "./watchlist.ts";

const TICK_MS = 1_000;

const sendBeacon: Beacon = (url, text) => navigator.sendBeacon(url, new Blob([text], { type: "application/json" }));

export class App {
  readonly #config: Config;
  readonly #book = new Book();
  readonly #storage = browserStorage();
  readonly #list = new WatchList(this.#storage);
  readonly #panel: Panel;
  readonly #watch: UpstreamWatch;
  readonly #client: Client;
  readonly #directory: Directory;
  readonly #table: Table;
  readonly #header: Header;
  readonly #rows: FrameBatch<string>;
  readonly #heads: FrameBatch<"header">;
  #tally: Tally = { stale: 0, recovering: 0, polled: 0 };

  constructor(config: Config) {
    this.#config = config;
    const api = new Api(config.apiBase, (url, init) => fetch(url, init), sendBeacon);
    this.#panel = new Panel(this.#storage, (open) => this.#lookUpstream(open));
    this.#watch = new UpstreamWatch({
      ask: (signal) => api.upstream(signal),
      onReport: (report) => this.#panel.update(report, Date.now(), this.#client.state.clockOffsetMs),
      onFailure: (message) => this.#panel.fail(message),
    });
    this.#table = new Table({ view: (symbol) => this.#view(symbol), onRemove: (symbol) => this.#remove(symbol) });
    this.#rows = new FrameBatch((symbols) => this.#table.update(symbols));
    this.#heads = new FrameBatch(() => this.#drawHeader());
    this.#directory = new Directory(api, (symbols) => this.#markRows(symbols));
    this.#client = new Client({
      api,
      socketUrl: config.socketUrl,
      config: config.session,
      open: openWebSocket,
      onState: (state, before) => this.#onState(state, before),
      onQuotes: (quotes) => this.#onQuotes(quotes),
    });
    this.#header = new Header(config.session, () => this.#client.retry());
    new Search({
      find: (prefix, signal) => api.search(prefix, signal),
      watched: (symbol) => this.#list.has(symbol),
      onChoose: (found) => this.#add(found.symbol),
    });
  }

  start(): void {
    this.#listChanged();
    this.#client.start();
    watchEnvironment((event) => this.#client.dispatch(event));
    window.addEventListener("storage", (event) => event.key === WATCHLIST_KEY && this.#onOtherTab());
    document.addEventListener("visibilitychange", () => this.#lookUpstream(this.#panel.open));
    this.#lookUpstream(this.#panel.open);
    setInterval(() => this.#tick(), TICK_MS);
  }

  #add(symbol: string): void {
    this.#list.add(symbol);
    this.#listChanged();
    this.#table.reveal(symbol);
  }

  #remove(symbol: string): void {
    this.#list.remove(symbol);
    this.#listChanged();
  }

  #onOtherTab(): void {
    this.#list.reload();
    this.#listChanged();
  }

  #listChanged(): void {
    const { symbols } = this.#list;
    this.#book.watch(symbols);
    this.#table.setSymbols(symbols);
    this.#client.want(symbols);
    void this.#directory.refresh(symbols, Date.now());
  }

  #onQuotes(quotes: readonly Quote[]): void {
    const now = Date.now();
    for (const quote of quotes) {
      this.#book.apply(quote, now);
      this.#rows.mark(quote.symbol);
    }
  }

  #onState(state: SessionState, before: SessionState): void {
    this.#heads.mark("header");
    const trustChanged =
      state.phase !== before.phase ||
      state.failures !== before.failures ||
      state.refused !== before.refused ||
      state.pollFailure !== before.pollFailure;
    if (trustChanged) this.#markRows(this.#list.symbols);
    if (state.phase === "ready" && before.phase !== "ready") {
      void this.#directory.refresh(this.#list.symbols, Date.now());
    }
  }

  #markRows(symbols: Iterable<string>): void {
    for (const symbol of symbols) this.#rows.mark(symbol);
  }

  #lookUpstream(open: boolean): void {
    this.#watch.look(open && !document.hidden);
    if (open) this.#drawHealth();
  }

  #drawHealth(): void {
    this.#panel.updateHealth(metricsReport(this.#client.state, { now: Date.now(), config: this.#config.session }));
  }

  /** Counting the rows is left to the tick: it is far too much for every frame of a long list. */
  #drawHeader(): void {
    this.#header.update(this.#client.state, this.#tally, Date.now());
  }

  #countRows(): void {
    const rows = this.#list.symbols.map((symbol) => {
      const { shown, entry } = this.#view(symbol);
      return { shown, source: entry?.quote.source };
    });
    this.#tally = tally(rows);
  }

  /** Once a second: ages, the countdown, and what ceases to be true by time alone. */
  #tick(): void {
    this.#countRows();
    this.#heads.mark("header");
    if (this.#panel.open && !document.hidden) this.#drawHealth();
    const { phase } = this.#client.state;
    if (phase === "ready") {
      this.#table.updateAges();
      void this.#directory.refresh(this.#list.symbols, Date.now());
    } else {
      this.#table.updateAll();
    }
  }

  #view(symbol: string): RowView {
    const { state } = this.#client;
    const entry = this.#book.get(symbol);
    const now = Date.now();
    return {
      entry,
      detail: this.#directory.get(symbol),
      refusal: state.refused.get(symbol),
      shown: shown(symbol, entry, state, this.#config.session, now),
      now: now + state.clockOffsetMs,
    };
  }
}
