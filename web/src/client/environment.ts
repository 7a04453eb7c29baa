/** News of the browser about itself: network, visibility, and clock jumps that betray a machine that slept. */

import type { SessionEvent } from "./state.ts";

const LOOK_EVERY_MS = 1_000;
/** Longer than this between two looks: the machine slept. Hidden pages get their timers late, so they get more. */
const VISIBLE_GAP_MS = 5_000;
const HIDDEN_GAP_MS = 90_000;

/** Tell `dispatch` until the returned function is called. */
export function watchEnvironment(dispatch: (event: SessionEvent) => void): () => void {
  const stop = new AbortController();
  const listen = { signal: stop.signal };
  let lastLook = Date.now();
  const look = setInterval(() => {
    const now = Date.now();
    const gap = Math.abs(now - lastLook);
    lastLook = now;
    if (gap > (document.hidden ? HIDDEN_GAP_MS : VISIBLE_GAP_MS)) dispatch({ type: "woke", sleptMs: gap });
  }, LOOK_EVERY_MS);
  window.addEventListener("offline", () => dispatch({ type: "offline" }), listen);
  window.addEventListener("online", () => dispatch({ type: "online" }), listen);
  window.addEventListener("pagehide", () => dispatch({ type: "leaving" }), listen);
  document.addEventListener("visibilitychange", () => document.hidden || dispatch({ type: "visible" }), listen);
  return () => {
    stop.abort();
    clearInterval(look);
  };
}
