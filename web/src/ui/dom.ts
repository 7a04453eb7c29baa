/** Small helpers over the DOM. */

/** The element for `selector`; raises when the page lacks it, which is a fault of the page. */
export function find<T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T {
  const element = root.querySelector<T>(selector);
  if (!element) throw new Error(`the page has no element ${selector}`);
  return element;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** One piece of text in the page; setting what it shows already touches nothing. */
export class TextSlot {
  readonly node: Text = document.createTextNode("");

  /** True when the text changed. */
  set(text: string): boolean {
    if (this.node.data === text) return false;
    this.node.data = text;
    return true;
  }
}

/** The text of the element for `selector`, which holds nothing else from now on. */
export function slot(selector: string): TextSlot {
  const text = new TextSlot();
  find(selector).replaceChildren(text.node);
  return text;
}

/** A list of names with values; a name appears when it is first set. Tests find a value by `data-fact`. */
export class Facts {
  readonly #list: HTMLElement;
  readonly #slots = new Map<string, TextSlot>();

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  set(name: string, value: string): void {
    let text = this.#slots.get(name);
    if (!text) {
      text = new TextSlot();
      this.#slots.set(name, text);
      this.#list.append(make("div", {}, make("dt", {}, name), make("dd", { "data-fact": name }, text.node)));
    }
    text.set(value);
  }
}

/** Set or remove an attribute, only where it differs. */
export function setAttribute(element: Element, name: string, value: string | null): void {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}
