# ruff: noqa: N802, N803  the names are Autobahn's
"""Run the converted cases against a WebSocket echo server, some at a time, and judge as the suite does.

The client is Autobahn's own, which can send what no honest client would. Run as a program in an environment that has
`autobahn` and `autobahn_cases`: `driver.py ws://host:port/ results.json`.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn_cases import Cases
from autobahn_cases.case import Case

AT_ONCE, HEAVY_AT_ONCE = 8, 2
PATIENCE_S = 20.0
"""Instead of the suite's one second: a busy machine is not a fault of the server's. It is spent only on failures."""
CASE_DEADLINE_S = 120.0
PASSED = (Case.OK, Case.INFORMATIONAL)


def raw(text: str | bytes) -> bytes:
    """Turn a text that stands for bytes into them."""
    return text.encode("latin-1") if isinstance(text, str) else text


class Fuzzer(WebSocketClientProtocol):  # type: ignore[misc]  # Autobahn is untyped
    """One connection that runs one case; the names are those the cases call."""

    def __init__(self, case: type[Any]) -> None:
        super().__init__()
        self.runCase = case(self)
        self.connectionWasOpen = False
        self.createWirelog = False
        self.txFrameStats: Counter[int] = Counter()
        self.ended = asyncio.Event()

    def onOpen(self) -> None:
        self.connectionWasOpen = True
        self.runCase.onOpen()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.runCase.onMessage(payload.decode("latin-1"), isBinary)

    def onPing(self, payload: bytes) -> None:
        super().onPing(payload)
        self.runCase.onPing(payload.decode("latin-1"))

    def onPong(self, payload: bytes) -> None:
        self.runCase.onPong(payload.decode("latin-1"))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.runCase.onClose(wasClean, code, reason)

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            while self.receive_queue:  # Autobahn would forget what came together with the end
                self._dataReceived(self.receive_queue.popleft())
            super().connection_lost(exc)
            self.runCase.onConnectionLost(self.failedByMe)
        finally:
            self.ended.set()

    # --- what the cases call ---

    def sendFrame(self, opcode: int, payload: str | bytes = b"", **options: Any) -> None:
        if not payload and options.get("payload_len") == 0:
            del options["payload_len"]
        self.txFrameStats[opcode] += 1
        super().sendFrame(opcode=opcode, payload=raw(payload), **options)

    def sendMessage(self, payload: str | bytes, isBinary: bool = False, **options: Any) -> None:
        super().sendMessage(raw(payload), isBinary, **options)

    def sendMessageFrameData(self, payload: str | bytes, sync: bool = False) -> None:
        super().sendMessageFrameData(raw(payload), sync)

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: str | bytes | None = None, isReply: bool = False
    ) -> None:
        super().sendCloseFrame(code, None if reasonUtf8 is None else raw(reasonUtf8), isReply)

    def sendClose(self, code: int | None = None, reason: str | None = None) -> None:
        # As the suite's own client does: any code may be sent.
        self.sendCloseFrame(code, reason)

    def enableWirelog(self, enable: bool) -> None:
        self.createWirelog = enable

    def continueLater(self, delay: float, then: Any, tag: str | None = None) -> None:
        self._later(delay, then)

    def killAfter(self, delay: float) -> None:
        self._later(max(delay, PATIENCE_S), self._fail_connection)

    def closeAfter(self, delay: float) -> None:
        self._later(delay, self.sendClose)

    def _later(self, delay: float, then: Any) -> None:
        asyncio.get_running_loop().call_later(delay, lambda: self.state != self.STATE_CLOSED and then())


class Factory(WebSocketClientFactory):  # type: ignore[misc]  # Autobahn is untyped
    """Makes the connection of one case."""

    def __init__(self, url: str, case: type[Any]) -> None:
        super().__init__(url, loop=asyncio.get_running_loop())
        self.setProtocolOptions(
            failByDrop=False,
            openHandshakeTimeout=PATIENCE_S,
            closeHandshakeTimeout=PATIENCE_S,
            serverConnectionDropTimeout=PATIENCE_S,
        )
        self.case = case
        self.made: Fuzzer | None = None

    def __call__(self) -> Fuzzer:
        self.made = Fuzzer(self.case)
        self.made.factory = self
        return self.made


async def run(case: type[Any], url: str) -> dict[str, Any]:
    """Run one case; returns its verdict."""
    factory, started = Factory(url, case), time.monotonic()
    await asyncio.get_running_loop().create_connection(factory, factory.host, factory.port)
    fuzzer = factory.made
    assert fuzzer is not None
    try:
        async with asyncio.timeout(CASE_DEADLINE_S):
            await fuzzer.ended.wait()
    except TimeoutError:
        if fuzzer.transport is not None:
            fuzzer.transport.abort()
            await fuzzer.ended.wait()
    judged = fuzzer.runCase
    return {
        "case": case.__name__.removeprefix("Case").replace("_", "."),
        "behavior": judged.behavior,
        "close": judged.behaviorClose,
        "result": judged.result,
        "closeResult": judged.resultClose,
        "seconds": round(time.monotonic() - started, 3),
    }


async def run_all(url: str) -> list[dict[str, Any]]:
    """Run every case, in the suite's order as far as they run at once. Group 9 moves megabytes: few at once."""
    room, heavy = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(HEAVY_AT_ONCE)

    async def one(case: type[Any]) -> dict[str, Any]:
        async with heavy if case.__name__.startswith("Case9_") else room:
            return await run(case, url)

    return list(await asyncio.gather(*(one(case) for case in Cases)))


def main(url: str, output: str) -> int:
    """Run, tell what did not pass, write everything to `output`; returns a process exit code."""
    results = asyncio.run(run_all(url))
    Path(output).write_text(json.dumps(results, indent=1) + "\n")
    bad = [one for one in results if one["behavior"] not in PASSED or one["close"] not in PASSED]
    for one in bad:
        print(f"{one['case']}: {one['behavior']} ({one['result']}); close {one['close']} ({one['closeResult']})")
    counts = Counter(one["behavior"] for one in results)
    print(f"{len(results)} cases: " + ", ".join(f"{count} {name}" for name, count in counts.most_common()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
