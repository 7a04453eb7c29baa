"""Work that comes in parts: one part, of whoever it is, in each iteration of the event loop.

So that it makes no difference to all others how many clients have asked for much at the same time.
"""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Who waits for a turn. Bounded by the connections: each has one part at a time in it."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, part: Callable[[], None]) -> None:
        """Have `part` called in its turn. It sees to its own failures."""
        self._waiting.append(part)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    async def mine(self) -> None:
        """Wait for a turn."""
        turn = asyncio.get_running_loop().create_future()
        self.take(lambda: None if turn.done() else turn.set_result(None))
        await turn

    def _next(self) -> None:
        part = self._waiting[0]
        try:
            part()
        finally:
            self._waiting.popleft()
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._next)
