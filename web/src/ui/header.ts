/** The header: how the page stands with the gateway, and the gateway with Questrade. */

import { exhausted, qualityOf, type SessionConfig, type SessionState, statusOf } from "../client/state.ts";
import type { Tally } from "../market/trust.ts";
import { reasonText } from "../upstream/reasons.ts";
import { find, setAttribute, slot } from "./dom.ts";
import { clock, latency, NONE } from "./format.ts";

export class Header {
  readonly #config: SessionConfig;
  readonly #connection = find("#connection");
  readonly #upstream = find("#upstream");
  readonly #retry = find<HTMLButtonElement>("#retry");
  readonly #tally = find("#tally");
  readonly #announcer = find("#announcer");
  readonly #latencyCell = find("[data-testid=latency]");
  readonly #text = {
    state: slot("[data-testid=state]"),
    person: slot("[data-testid=person]"),
    symbols: slot("[data-testid=symbol-count]"),
    update: slot("[data-testid=last-update]"),
    latency: slot("[data-testid=latency]"),
    upstream: slot("[data-testid=upstream]"),
    reason: slot("#reason"),
    tally: slot("#tally"),
  };

  constructor(config: SessionConfig, onRetry: () => void) {
    this.#config = config;
    this.#retry.addEventListener("click", onRetry);
  }

  /** Bring everything in line with `state` and what the rows show. `now` in ms by this machine's clock. */
  update(state: SessionState, tally: Tally, now: number): void {
    const status = statusOf(state, this.#config);
    if (this.#text.state.set(status)) this.#announce(`${status}: ${state.reason}`, status);
    setAttribute(this.#connection, "data-state", status);
    setAttribute(this.#connection, "title", titleOf(state));
    this.#text.person.set(state.upstream?.person ?? state.persons[state.personIndex] ?? NONE);
    this.#text.symbols.set(symbolCount(state, status === "connected"));
    this.#text.update.set(clock(state.lastQuoteAt));
    this.#text.reason.set(describe(state, this.#config, now));
    this.#updateLatency(state);
    const upstream = status === "connected" ? (state.upstream?.state ?? "unknown") : "unknown";
    this.#text.upstream.set(upstream);
    setAttribute(this.#upstream, "data-state", upstream);
    const counts = describeTally(tally);
    this.#text.tally.set(counts);
    this.#tally.hidden = counts === "";
    this.#retry.hidden = state.phase !== "waiting" && state.phase !== "refused";
  }

  #updateLatency(state: SessionState): void {
    const ms = state.latencyMs;
    this.#text.latency.set(ms === null ? NONE : `${latency(ms)} ${qualityOf(ms)}`);
    setAttribute(this.#latencyCell, "data-quality", ms === null ? null : qualityOf(ms));
  }

  #announce(text: string, status: string): void {
    this.#announcer.textContent = text;
    document.title = status === "connected" ? "quotewire" : `${status} – quotewire`;
  }
}

function titleOf(state: SessionState): string {
  const version = state.server ? ` to gateway ${state.server.version}` : "";
  return `connection ${state.connectionId}${version}`;
}

/** `2 stale, 1 polled`; empty when every row is as it should be. */
export function describeTally({ stale, recovering, polled }: Tally): string {
  const counts = [
    [stale, "stale"],
    [recovering, "recovering"],
    [polled, "polled"],
  ] as const;
  return counts.flatMap(([number, word]) => (number > 0 ? [`${number} ${word}`] : [])).join(", ");
}

function symbolCount(state: SessionState, connected: boolean): string {
  const wanted = state.wanted.size;
  const served = state.accepted.size;
  return connected && served < wanted ? `${served} of ${wanted}` : String(wanted);
}

/** One line about what is going on, most important first. */
export function describe(state: SessionState, config: SessionConfig, now: number): string {
  const upstream = state.upstream;
  if (state.phase === "ready") {
    const since = upstream && upstream.since > 0 ? `, since ${clock(upstream.since)}` : "";
    const skipped = state.skipped > 0 ? ` · ${state.skipped} updates skipped, as this page was slow` : "";
    return `${upstream ? reasonText(upstream.reason) + since : ""}${skipped}`;
  }
  if (state.phase !== "waiting") return state.reason;
  const seconds = Math.max(0, Math.ceil(((state.retryAt ?? now) - now) / 1000));
  const next = `next attempt in ${seconds} s`;
  if (!exhausted(state, config)) return `${state.reason}; ${next} (${state.failures} of ${config.maxAttempts})`;
  const polling = config.polling ? `asking every ${config.pollingIntervalMs / 1000} s meanwhile` : "no polling";
  const failing = state.pollFailure ? `, which fails: ${state.pollFailure}` : "";
  return `${state.reason}; ${polling}${failing}; ${next}`;
}
