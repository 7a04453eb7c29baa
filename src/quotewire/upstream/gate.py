"""Calls and refreshes of one login keep out of each other's way.

Questrade's login server hangs or spoils tokens when a refresh runs while requests of the same login are under way, and
a refresh kills the access token they carry. So a refresh waits for the calls under way, and calls wait for it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Many calls, or one refresh. A refresh that waits holds new calls back."""

    def __init__(self) -> None:
        self._calls = 0
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __repr__(self) -> str:
        return f"<Gate {'open' if self._open.is_set() else 'shut'} calls={self._calls}>"

    @property
    def is_open(self) -> bool:
        """Whether a call could start now."""
        return self._open.is_set()

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Pass as a call; waits while a refresh holds the gate. The caller sets the deadline."""
        await self._open.wait()
        self._calls += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._empty.set()

    @asynccontextmanager
    async def refresh(self, patience_s: float) -> AsyncIterator[None]:
        """Hold the gate for a refresh. Calls under way get `patience_s` to end; then it goes ahead all the same."""
        self._open.clear()
        try:
            try:
                async with asyncio.timeout(patience_s):
                    await self._empty.wait()
            except TimeoutError:
                pass
            yield
        finally:
            self._open.set()
