/** How long to wait before the next attempt. */

export interface BackoffPlan {
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * The delay in ms after failure number `failures` (1 is the first): doubling from the base up to the ceiling, and of
 * that a random share between a half and the whole, so that clients cut off together do not come back together.
 */
export function backoff(failures: number, plan: BackoffPlan, random: () => number): number {
  const whole = Math.min(plan.maxDelayMs, plan.baseDelayMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(whole * (0.5 + random() / 2));
}
