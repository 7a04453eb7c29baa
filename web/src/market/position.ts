/** Where a quote stands in the order of its symbol's updates (spec/PROTOCOL.md section 5). */

export interface Position {
  readonly epoch: number;
  readonly sequence: number;
}

/** Positive when `a` comes after `b`, zero when they are the same update. */
export const compare = (a: Position, b: Position): number => a.epoch - b.epoch || a.sequence - b.sequence;
