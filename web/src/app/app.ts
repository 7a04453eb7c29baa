/** Puts the parts together: client, book, directory, watch list, and what is seen of them. */

import { Api } from "../client/api.ts";
import { Client } from "../client/client.ts";
import { watchEnvironment } from "../client/environment.ts";
import type { Quote } from "../client/protocol.ts";
import type { SessionState } from "../client/state.ts";
import { openWebSocket } from "../client/transport.ts";
import type { Config } from "../config.ts";
import { Book } from "../market/book.ts";
import { shown } from "../market/trust.ts";
import { FrameBatch } from "../ui/frame.ts";
import { Header } from "../ui/header.ts";
import type { RowView } from "../ui/row.ts";
import { Search } from "../ui/search.ts";
import { Table } from "../ui/table.ts";
import { Directory } from "./directory.ts";
import { browserStorage, WATCHLIST_KEY, WatchList } from "./watchlist.ts";

const TICK_MS = 1_000;

export class App {
  readonly #config: Config;
  readonly #book = new Book();
  readonly #list = new WatchList(browserStorage());
  readonly #client: Client;
  readonly #directory: Directory;
  readonly #table: Table;
  readonly #header: Header;
  readonly #rows: FrameBatch<string>;
  readonly #heads: FrameBatch<"header">;

  constructor(config: Config) {
    this.#config = config;
    const api = new Api(config.apiBase, (url, init) => fetch(url, init));
    this.#table = new Table({ view: (symbol) => this.#view(symbol), onRemove: (symbol) => this.#remove(symbol) });
    this.#rows = new FrameBatch((symbols) => this.#table.update(symbols));
    this.#heads = new FrameBatch(() => this.#header.update(this.#client.state, Date.now()));
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

  /** Once a second: ages, the countdown, and what ceases to be true by time alone. */
  #tick(): void {
    this.#heads.mark("header");
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
