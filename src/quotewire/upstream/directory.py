"""The directory of symbols: what Questrade said each name and id is, kept in SQLite across restarts.

A cache and nothing more: a file that cannot be read is set aside and begun anew. Answers are kept for a day, because
closing prices and listings change daily; an old answer is still better than none while Questrade cannot be asked.
"""

import contextlib
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from quotewire.market.symbol import Symbol

DATABASE: Final = "symbols.sqlite3"
FRESH_S: Final = 86_400.0
UNKNOWN_S: Final = 300.0  # how long an unknown name is believed to be one
MAX_UNKNOWN: Final = 10_000
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS symbols (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    record BLOB NOT NULL,
    fetched_at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS symbols_name ON symbols (name);
"""


class Directory:
    """Symbols by name and id. All of it is in memory; SQLite is written behind."""

    def __init__(self, database: sqlite3.Connection, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        self._by_id: dict[int, tuple[Symbol, float]] = {}
        self._by_name: dict[str, int] = {}
        self._unknown: OrderedDict[str | int, float] = OrderedDict()
        for record, fetched_at in database.execute("SELECT record, fetched_at FROM symbols"):
            self._keep(msgspec.json.decode(record, type=Symbol), fetched_at)

    def __len__(self) -> int:
        return len(self._by_id)

    @classmethod
    def open(cls, data_dir: Path, now: Callable[[], float] = time.time) -> "Directory":
        """Open or make the directory of a data directory."""
        path = data_dir / DATABASE
        try:
            return cls(_connect(path), now)
        except (sqlite3.Error, msgspec.MsgspecError):
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            return cls(_connect(path), now)

    def close(self) -> None:
        """Close the file; a second time is harmless."""
        self._database.close()

    def find(self, asked: str | int, *, stale: bool = False) -> Symbol | None:
        """What `asked` (a name in any case, or an id) is known to be; with `stale`, however old that is."""
        symbol_id = asked if isinstance(asked, int) else self._by_name.get(asked.upper())
        entry = None if symbol_id is None else self._by_id.get(symbol_id)
        if entry is None:
            return None
        symbol, fetched_at = entry
        return symbol if stale or self._now() - fetched_at < FRESH_S else None

    def is_unknown(self, asked: str | int) -> bool:
        """Whether Questrade said a short while ago that there is no such symbol."""
        since = self._unknown.get(_key(asked))
        return since is not None and self._now() - since < UNKNOWN_S

    def learn(self, symbols: Iterable[Symbol]) -> None:
        """Keep what Questrade answered."""
        rows = []
        for symbol in symbols:
            self._keep(symbol, self._now())
            rows.append((symbol.symbol_id, symbol.symbol.upper(), msgspec.json.encode(symbol), self._now()))
        # A cache that cannot be written (a full disk) still serves from memory.
        with contextlib.suppress(sqlite3.Error):
            self._database.executemany("INSERT OR REPLACE INTO symbols VALUES (?, ?, ?, ?)", rows)

    def learn_unknown(self, asked: str | int) -> None:
        """Remember for a while that there is no such symbol."""
        self._unknown[_key(asked)] = self._now()
        while len(self._unknown) > MAX_UNKNOWN:
            self._unknown.popitem(last=False)

    def _keep(self, symbol: Symbol, fetched_at: float) -> None:
        before = self._by_id.get(symbol.symbol_id)
        if before is not None and before[0].symbol != symbol.symbol:
            self._by_name.pop(before[0].symbol.upper(), None)
        self._by_id[symbol.symbol_id] = (symbol, fetched_at)
        self._by_name[symbol.symbol.upper()] = symbol.symbol_id
        self._unknown.pop(symbol.symbol.upper(), None)
        self._unknown.pop(symbol.symbol_id, None)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=OFF")  # a cache: losing it costs a few calls
        database.executescript(SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _key(asked: str | int) -> str | int:
    return asked.upper() if isinstance(asked, str) else asked
