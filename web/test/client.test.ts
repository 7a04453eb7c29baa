import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Api } from "../src/client/api.ts";
import { Client } from "../src/client/client.ts";
import type { Quote } from "../src/client/protocol.ts";
import type { Link, Listener } from "../src/client/transport.ts";
import { CONFIG, quote, welcome } from "./support.ts";

const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status });

class FakeLink implements Link {
  readonly sent: Record<string, unknown>[] = [];
  hungUp = false;
  readonly url: string;
  readonly listener: Listener;
  constructor(url: string, listener: Listener) {
    this.url = url;
    this.listener = listener;
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  hangUp(): void {
    this.hungUp = true;
  }
  say(message: unknown): void {
    this.listener.received(JSON.stringify(message));
  }
}

/** A client whose gateway is a table of answers and whose sockets are in `links`. */
function rig(answers: Record<string, () => Response | Promise<Response>> = {}) {
  const links: FakeLink[] = [];
  const calls: string[] = [];
  const delivered: Quote[] = [];
  const table: Record<string, () => Response | Promise<Response>> = {
    "/api-auth/persons": () =>
      json({ success: true, data: [{ personName: "old", isActive: false }, { personName: "al ice" }] }),
    "/api-auth/auth/access-token/al%20ice": () => json({ success: true, data: { accessToken: "secret" } }),
    ...answers,
  };
  const api = new Api("http://gw", async (url) => {
    const path = url.replace("http://gw", "");
    calls.push(path);
    const answer = table[path];
    if (!answer) throw new TypeError("failed to fetch");
    return answer();
  });
  const client = new Client({
    api,
    socketUrl: "ws://gw/ws",
    config: { ...CONFIG, maxAttempts: 0 },
    open: (url, listener) => {
      const link = new FakeLink(url, listener);
      links.push(link);
      return link;
    },
    onState: () => {},
    onQuotes: (quotes) => delivered.push(...quotes),
    random: () => 0.5,
  });
  return { client, links, calls, delivered, table };
}

const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

describe("client", () => {
  test("goes the whole road: active persons first, token in the hello and in no address", async () => {
    const { client, links, calls, delivered } = rig();
    client.want(["AAPL"]);
    client.start();
    await settle();
    const [link] = links;
    expect(calls).toEqual(["/api-auth/persons", "/api-auth/auth/access-token/al%20ice"]);
    expect(link?.url).toMatch(
      /^ws:\/\/gw\/ws\?connectionId=ws-1000000-[0-9a-z]{9}&clientVersion=test%2F1&sessionTimeout=1800000$/,
    );
    expect(link?.url).not.toContain("secret");

    link?.listener.opened();
    expect(link?.sent[0]).toMatchObject({ type: "hello", token: "secret" });
    link?.say(welcome());
    link?.say({ type: "snapshot", quotes: [quote("AAPL", 1)] });
    expect(client.state.phase).toBe("ready");
    expect(delivered.map((each) => each.symbol)).toEqual(["AAPL"]);
  });

  test("what an abandoned socket says is not heard", async () => {
    const { client, links } = rig();
    client.start();
    await settle();
    await vi.advanceTimersByTimeAsync(CONFIG.upgradeTimeoutMs);
    expect(client.state.phase).toBe("waiting");
    expect(links[0]?.hungUp).toBe(true);
    links[0]?.listener.opened();
    links[0]?.listener.closed(4500, "");
    expect(client.state.phase).toBe("waiting");
  });

  test("polls when no socket can be had, and returns to the socket", async () => {
    const { client, links, delivered } = rig({
      "/api-market/quotes/batch": () => json({ success: true, data: [quote("AAPL", 2), { nonsense: true }] }),
    });
    client.want(["AAPL"]);
    client.start();
    await settle();
    links[0]?.listener.closed(1006, "");
    await vi.advanceTimersByTimeAsync(1);
    expect(delivered).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(CONFIG.baseDelayMs);
    links[1]?.listener.opened();
    links[1]?.say(welcome());
    expect(client.state.phase).toBe("ready");
    await vi.advanceTimersByTimeAsync(4_000);
    expect(delivered).toHaveLength(1);
  });

  test("says what the gateway said when a call fails, and what it was when there is no answer", async () => {
    const { client, table } = rig({
      "/api-auth/persons": () => json({ success: false, error: "the vault is locked" }, 503),
    });
    client.start();
    await settle();
    expect(client.state.reason).toBe("the vault is locked");
    table["/api-auth/persons"] = () => Promise.reject(new TypeError("failed to fetch"));
    client.retry();
    await settle();
    expect(client.state.reason).toBe("the gateway cannot be reached");
  });

  test("stop leaves no timer behind", async () => {
    const { client, links } = rig();
    client.start();
    await settle();
    links[0]?.listener.opened();
    links[0]?.say(welcome());
    client.stop();
    expect(links[0]?.hungUp).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
