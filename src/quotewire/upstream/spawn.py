"""Starting the process that exchanges a token, and listening to its report.

A plain `subprocess` is tied to its parent: asyncio kills the child when the loop closes, and leaving one behind is an
error in the standard library's eyes. This child is meant to outlive us, so it is started with `posix_spawn`.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Final

import msgspec

from quotewire.upstream.redeemer import Ending, Errand, Report

MODULE: Final = "quotewire.upstream.redeemer"
START_S: Final = 15.0  # what a loaded machine may need to start an interpreter
REPORT_BYTES: Final = 65_536
PRIVATE: Final = ("QUOTEWIRE_", "DATABASE_", "REDIS_")
"""Environment variables that may hold secrets the child has no need of."""

_unreaped: set[int] = set()


async def exchange(errand: Errand) -> Report:
    """Have a process of its own do `errand`. Cancelling this leaves the process to finish alone."""
    with _pipe() as (errand_out, errand_in), _pipe() as (report_out, report_in):
        try:
            pid = _start(errand_out.number, report_in.number)
        except OSError as error:
            return Report(ending=Ending.FAILED, reason=f"the refreshing process cannot be started: {error}")
        errand_out.close()
        report_in.close()
        _unreaped.add(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(errand_in.number, msgspec.json.encode(errand))
        errand_in.close()
        try:
            async with asyncio.timeout(START_S + errand.longest_s):
                text = await _read_all(report_out.number)
        except TimeoutError:
            return Report(ending=Ending.BUSY, reason="the refreshing process has not ended yet")
        finally:
            _reap()
    return _parse(text)


def _start(stdin: int, stdout: int) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)}
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_DUP2, stdin, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    arguments = [sys.executable, "-P", "-m", MODULE]
    return os.posix_spawn(sys.executable, arguments, environment, file_actions=actions)


async def _read_all(descriptor: int) -> bytes:
    """Read to the end of the pipe, which comes when the child ends."""
    loop = asyncio.get_running_loop()
    os.set_blocking(descriptor, False)
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    chunks: list[bytes] = []
    try:
        while sum(map(len, chunks)) < REPORT_BYTES:
            await readable.wait()
            readable.clear()
            try:
                chunk = os.read(descriptor, REPORT_BYTES)
            except BlockingIOError:
                continue
            if not chunk:
                break
            chunks.append(chunk)
    finally:
        loop.remove_reader(descriptor)
    return b"".join(chunks)


def _parse(text: bytes) -> Report:
    try:
        return msgspec.json.decode(text, type=Report)
    except msgspec.MsgspecError:
        return Report(ending=Ending.FAILED, reason="the refreshing process ended without a report")


def _reap() -> None:
    """Collect children that have ended; one that has not is collected next time, or by init after us."""
    for pid in list(_unreaped):
        try:
            done, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            done = pid
        if done:
            _unreaped.discard(pid)


class _End:
    """One end of a pipe, closed once."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        if self.number >= 0:
            os.close(self.number)
            self.number = -1


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[_End, _End]]:
    ends = tuple(map(_End, os.pipe()))
    try:
        yield ends[0], ends[1]
    finally:
        for end in ends:
            end.close()
