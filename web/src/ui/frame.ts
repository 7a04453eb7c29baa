/** Gathers what has changed and draws it once per animation frame. One slot per key: a burst costs one drawing. */

export class FrameBatch<K> {
  readonly #draw: (keys: ReadonlySet<K>) => void;
  #dirty = new Set<K>();
  #asked = false;

  constructor(draw: (keys: ReadonlySet<K>) => void) {
    this.#draw = draw;
  }

  mark(key: K): void {
    this.#dirty.add(key);
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => this.#flush());
  }

  #flush(): void {
    const keys = this.#dirty;
    this.#dirty = new Set();
    this.#asked = false;
    this.#draw(keys);
  }
}
