/** Asks the gateway how it stands with Questrade, every few seconds while somebody looks. */

import type { UpstreamReport } from "../upstream/report.ts";

export const ASK_EVERY_MS = 2_000;

export interface UpstreamWatchOptions {
  readonly ask: (signal: AbortSignal) => Promise<UpstreamReport>;
  readonly onReport: (report: UpstreamReport) => void;
  readonly onFailure: (message: string) => void;
}

export class UpstreamWatch {
  readonly #options: UpstreamWatchOptions;
  #asking: AbortController | null = null;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(options: UpstreamWatchOptions) {
    this.#options = options;
  }

  /** Ask now and go on asking, or stop; being told the same twice changes nothing. */
  look(looking: boolean): void {
    if (looking === (this.#asking !== null)) return;
    clearTimeout(this.#pause);
    this.#asking?.abort();
    this.#asking = looking ? new AbortController() : null;
    if (this.#asking) void this.#ask(this.#asking.signal);
  }

  async #ask(signal: AbortSignal): Promise<void> {
    try {
      const report = await this.#options.ask(signal);
      if (!signal.aborted) this.#options.onReport(report);
    } catch (error) {
      if (!signal.aborted) this.#options.onFailure(error instanceof Error ? error.message : String(error));
    }
    if (!signal.aborted) this.#pause = setTimeout(() => void this.#ask(signal), ASK_EVERY_MS);
  }
}
