"""What one client is owed.

While its connection takes data, every update goes out in order. Once it does not, one slot a symbol: a newer update
takes the place of the older one, which is counted. So a slow client costs at most one frame a symbol it wants, and is
told.
"""

MAX_RUN = 4096
"""Updates held between two flushes before slots take over, even for a connection that takes data."""


class Outbox:
    """The updates owed to one client since its last flush, as framed bytes."""

    __slots__ = ("_run", "_slots", "skipped", "total_skipped")

    def __init__(self) -> None:
        self._run: list[bytes] = []
        self._slots: dict[int, bytes] | None = None
        self.skipped = 0
        self.total_skipped = 0

    def __len__(self) -> int:
        return len(self._run) + (len(self._slots) if self._slots else 0)

    @property
    def conflating(self) -> bool:
        """True while only the newest update of each symbol is kept."""
        return self._slots is not None

    def put(self, symbol_id: int, framed: bytes) -> None:
        """Owe this update."""
        if self._slots is None:
            if len(self._run) < MAX_RUN:
                self._run.append(framed)
                return
            self._slots = {}
        if symbol_id in self._slots:
            # Taken out first, so that the slots keep the order of the newest updates.
            del self._slots[symbol_id]
            self.skipped += 1
            self.total_skipped += 1
        self._slots[symbol_id] = framed

    def conflate(self) -> None:
        """The connection takes no more for now: keep only the newest update of each symbol from here on."""
        if self._slots is None:
            self._slots = {}

    def drop(self, symbol_ids: tuple[int, ...]) -> None:
        """Owe nothing more of these symbols where that can still be helped."""
        if self._slots:
            for symbol_id in symbol_ids:
                self._slots.pop(symbol_id, None)

    def take(self) -> tuple[list[bytes], int]:
        """Everything owed, in order, and how many updates were skipped; the outbox is empty and unconflated after."""
        owed = self._run
        if self._slots:
            owed = owed + list(self._slots.values())
        skipped, self.skipped = self.skipped, 0
        self._run, self._slots = [], None
        return owed, skipped
