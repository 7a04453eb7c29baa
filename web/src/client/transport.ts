/** One WebSocket, reduced to what the machine needs. Once hung up it reports nothing any more. */

import { SUBPROTOCOL } from "./protocol.ts";

export interface Listener {
  opened(): void;
  received(text: string): void;
  closed(code: number, reason: string): void;
}

export interface Link {
  send(text: string): void;
  hangUp(): void;
}

export type OpenLink = (url: string, listener: Listener) => Link;

const NOT_TEXT = 1003;

/** Open a browser WebSocket. */
export const openWebSocket: OpenLink = (url, listener) => {
  const socket = new WebSocket(url, [SUBPROTOCOL]);
  const stop = new AbortController();
  const listen = { signal: stop.signal };
  const hangUp = (code?: number): void => {
    stop.abort();
    if (socket.readyState < WebSocket.CLOSING) socket.close(code);
  };
  socket.addEventListener("open", () => listener.opened(), listen);
  socket.addEventListener("close", (event) => listener.closed(event.code, event.reason), listen);
  socket.addEventListener(
    "message",
    (event) => {
      if (typeof event.data === "string") {
        listener.received(event.data);
      } else {
        hangUp();
        listener.closed(NOT_TEXT, "the gateway sent a binary message");
      }
    },
    listen,
  );
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    hangUp: () => hangUp(1000),
  };
};
