/** Carries the machine's effects out: fetches, socket, timers, and the browser's news about itself. */

import { type Api, ApiError } from "./api.ts";
import { makeId } from "./ids.ts";
import { decode, type Quote } from "./protocol.ts";
import { step } from "./session.ts";
import {
  type Effect,
  initialState,
  type SessionConfig,
  type SessionEvent,
  type SessionState,
  type Timer,
} from "./state.ts";
import type { Link, OpenLink } from "./transport.ts";

export interface ClientOptions {
  readonly api: Api;
  /** The socket's address, without query. */
  readonly socketUrl: string;
  readonly config: SessionConfig;
  readonly open: OpenLink;
  readonly onState: (state: SessionState, before: SessionState) => void;
  readonly onQuotes: (quotes: readonly Quote[]) => void;
  readonly now?: () => number;
  readonly random?: () => number;
}

const SESSION_TIMEOUT_MS = 1_800_000;
const TOO_MANY_REQUESTS = 429;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class Client {
  readonly #options: ClientOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #timers = new Map<Timer, ReturnType<typeof setTimeout>>();
  readonly #queue: SessionEvent[] = [];
  #attempt = new AbortController();
  #polling = new AbortController();
  #link: Link | null = null;
  #state: SessionState;
  #stepping = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    const now = this.#now();
    this.#state = initialState(makeId("ws", now, this.#random), now);
  }

  get state(): SessionState {
    return this.#state;
  }

  start(): void {
    this.dispatch({ type: "start" });
  }

  stop(): void {
    this.dispatch({ type: "stop" });
    this.#polling.abort();
  }

  /** Watch exactly these symbols. */
  want(symbols: readonly string[]): void {
    this.dispatch({ type: "want", symbols });
  }

  /** Do not wait: try to connect now. */
  retry(): void {
    this.dispatch({ type: "retry" });
  }

  /** Feed the machine. An event that arises while effects are carried out takes its turn after them. */
  dispatch(event: SessionEvent): void {
    this.#queue.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#step(next);
    } finally {
      this.#stepping = false;
    }
  }

  #step(event: SessionEvent): void {
    const before = this.#state;
    const moment = { now: this.#now(), random: this.#random, config: this.#options.config };
    const [state, effects] = step(before, event, moment);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    if (state !== before) this.#options.onState(state, before);
  }

  readonly #performers: { readonly [K in Effect["type"]]: (effect: Extract<Effect, { type: K }>) => void } = {
    fetchPersons: () => this.#fetchPersons(),
    fetchToken: ({ person, refresh }) => this.#fetchToken(person, refresh),
    open: ({ connectionId }) => this.#open(connectionId),
    send: ({ message }) => this.#link?.send(JSON.stringify(message)),
    hangUp: () => this.#hangUp(),
    arm: ({ timer, afterMs }) => this.#arm(timer, afterMs),
    disarm: ({ timer }) => this.#disarm(timer),
    poll: ({ symbols }) => this.#poll(symbols),
    deliver: ({ quotes }) => this.#options.onQuotes(quotes),
    report: ({ report, leaving }) => this.#options.api.report(report, leaving),
  };

  #perform(effect: Effect): void {
    const perform = this.#performers[effect.type] as (effect: Effect) => void;
    perform(effect);
  }

  #fetchPersons(): void {
    this.#ask(
      this.#options.api.persons(this.#attempt.signal),
      (names) => ({ type: "persons", names }),
      (error) => ({ type: "personsFailed", message: messageOf(error) }),
    );
  }

  #fetchToken(person: string, refresh: boolean): void {
    this.#ask(
      this.#options.api.token(person, refresh, this.#attempt.signal),
      (token) => ({ type: "token", token }),
      (error) => {
        const rateLimited = error instanceof ApiError && error.status === TOO_MANY_REQUESTS;
        return { type: "tokenFailed", message: messageOf(error), rateLimited };
      },
    );
  }

  /** Report how `answer` ends, unless the attempt it belongs to was given up meanwhile. */
  #ask<T>(answer: Promise<T>, good: (value: T) => SessionEvent, bad: (error: unknown) => SessionEvent): void {
    const { signal } = this.#attempt;
    const report = (event: SessionEvent): void => {
      if (!signal.aborted) this.dispatch(event);
    };
    answer.then(good, bad).then(report);
  }

  #open(connectionId: string): void {
    const query = new URLSearchParams({
      connectionId,
      clientVersion: this.#options.config.clientVersion,
      sessionTimeout: String(SESSION_TIMEOUT_MS),
    });
    const { signal } = this.#attempt;
    const report = (event: SessionEvent): void => {
      if (!signal.aborted) this.dispatch(event);
    };
    this.#link = this.#options.open(`${this.#options.socketUrl}?${query}`, {
      opened: () => report({ type: "opened" }),
      received: (text) => report({ type: "received", message: decode(text) }),
      closed: (code, reason) => report({ type: "closed", code, reason }),
    });
  }

  #hangUp(): void {
    this.#attempt.abort();
    this.#attempt = new AbortController();
    this.#link?.hangUp();
    this.#link = null;
  }

  #poll(symbols: readonly string[]): void {
    this.#polling.abort();
    this.#polling = new AbortController();
    const { signal } = this.#polling;
    this.#options.api.quotes(symbols, signal).then(
      (quotes) => signal.aborted || this.dispatch({ type: "polled", quotes }),
      (error: unknown) => signal.aborted || this.dispatch({ type: "pollFailed", message: messageOf(error) }),
    );
  }

  #arm(timer: Timer, afterMs: number): void {
    this.#disarm(timer);
    const fire = (): void => {
      this.#timers.delete(timer);
      this.dispatch({ type: "timer", timer });
    };
    this.#timers.set(timer, setTimeout(fire, afterMs));
  }

  #disarm(timer: Timer): void {
    clearTimeout(this.#timers.get(timer));
    this.#timers.delete(timer);
  }
}
