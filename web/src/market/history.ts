/** The last trades of one symbol, for its spark line: a ring with a fixed size. */

export class History {
  readonly #prices: Float64Array;
  #next = 0;
  #size = 0;

  constructor(capacity: number) {
    this.#prices = new Float64Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  push(price: number): void {
    this.#prices[this.#next] = price;
    this.#next = (this.#next + 1) % this.#prices.length;
    this.#size = Math.min(this.#size + 1, this.#prices.length);
  }

  /** Oldest first. */
  values(): number[] {
    const start = (this.#next - this.#size + this.#prices.length) % this.#prices.length;
    return Array.from({ length: this.#size }, (_, i) => this.#prices[(start + i) % this.#prices.length] ?? 0);
  }
}
