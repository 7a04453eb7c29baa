"""The vault: every person's tokens, sealed, in SQLite, changed only by the token machine.

WAL with `synchronous=FULL`: when a method that writes returns, the change is on the disk. One exchange takes one file
lock a person, so that two processes never send the same refresh token; who holds no lock must not journal.
"""

import fcntl
import hashlib
import hmac
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from quotewire.errors import ConfigurationError, StorageError
from quotewire.questrade.tokens import Event, Granted, Outcome, Replaced, Sent, Token, TokenState, step
from quotewire.settings import PERSON_NAME
from quotewire.upstream.sealing import (
    SALT_BYTES,
    BrokenSealError,
    Sealer,
    derive,
    key_of_file,
    key_of_passphrase,
    sync_directory,
)

TokenRecord = Token

DATABASE: Final = "vault.sqlite3"
KEY_FILE: Final = "vault.key"
BUSY_S: Final = 5.0
LOCK_POLL_S: Final = 0.05
PROOF: Final = b"quotewire vault"

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS persons (
    name TEXT PRIMARY KEY,
    place INTEGER NOT NULL,
    state TEXT NOT NULL,
    secrets BLOB NOT NULL,
    api_server TEXT,
    obtained_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    doubtful_sends INTEGER NOT NULL,
    attempted_at REAL NOT NULL,
    last_error TEXT NOT NULL,
    seed TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS streaming (person TEXT PRIMARY KEY, allowed INTEGER NOT NULL) STRICT;
"""


class Vault:
    """One data directory's tokens. Not for several threads; several processes are fine."""

    def __init__(self, data_dir: Path, database: sqlite3.Connection, sealer: Sealer) -> None:
        self.data_dir: Final = data_dir
        self._database = database
        self._sealer = sealer

    def __repr__(self) -> str:
        return f"<Vault {self.data_dir}>"

    @classmethod
    def open(cls, data_dir: Path, passphrase: str | None) -> "Vault":
        """Open or make the vault of a data directory.

        Without a passphrase a key file is made and used. Raises ConfigurationError when the key is not the one the
        vault was sealed with, StorageError when the directory cannot be used.
        """
        database = _connect(data_dir)
        try:
            return cls._unlock(data_dir, database, passphrase)
        except BaseException:
            database.close()
            raise

    @classmethod
    def attach(cls, data_dir: Path, master_key: bytes) -> "Vault":
        """Open an existing vault with its master key, as the exchange's own process does."""
        return cls(data_dir, _connect(data_dir), Sealer(master_key))

    @classmethod
    def _unlock(cls, data_dir: Path, database: sqlite3.Connection, passphrase: str | None) -> "Vault":
        with _transaction(database, data_dir):
            meta = dict(database.execute("SELECT name, value FROM meta").fetchall())
            kind = "passphrase" if passphrase is not None else "file"
            sealed_by = meta.get("key", kind.encode()).decode()
            if sealed_by != kind:
                raise ConfigurationError(_wrong_kind(sealed_by, data_dir))
            if kind == "file" and "proof" in meta and not (data_dir / KEY_FILE).exists():
                told = f"the vault in {data_dir} is sealed with {KEY_FILE}, which is missing; put it back"
                raise ConfigurationError(f"{told}, or remove {DATABASE} and add the persons again")
            salt = meta.get("salt") or os.urandom(SALT_BYTES)
            key = key_of_passphrase(passphrase, salt) if passphrase is not None else key_of_file(data_dir / KEY_FILE)
            sealer = Sealer(key)
            if "proof" in meta:
                _prove(sealer, meta["proof"], kind, data_dir)
            else:
                rows = [("key", kind.encode()), ("salt", salt), ("proof", sealer.seal(PROOF, "proof"))]
                database.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        return cls(data_dir, database, sealer)

    @property
    def master_key(self) -> bytes:
        """What `attach` needs."""
        return self._sealer.master_key

    def close(self) -> None:
        """Close the database; a second time is harmless."""
        self._database.close()

    def derive_key(self, purpose: str) -> bytes:
        """A 32-byte key of its own for `purpose`, the same after every restart."""
        return derive(self._sealer.master_key, purpose)

    def next_epoch(self, now: Callable[[], float] = time.time) -> int:
        """A number greater than every one given before, on the disk when this returns.

        It starts from the clock (ms since 1970), so that a gateway whose data directory is new, as the demo's always
        is, still comes after its predecessor in the eyes of clients that stayed.
        """
        with _transaction(self._database, self.data_dir):
            row = self._database.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
            epoch = max((int(row[0]) if row else 0) + 1, int(now() * 1000))
            self._database.execute("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", (str(epoch).encode(),))
        return epoch

    # --- persons ---

    def persons(self) -> list[str]:
        """Every person, in the order they were added: the order they are tried in."""
        with _reading(self.data_dir):
            return [row[0] for row in self._database.execute("SELECT name FROM persons ORDER BY place, name")]

    def get(self, person: str) -> TokenRecord | None:
        """What is known of a person's login; None for an unknown one. Raises StorageError when it does not open."""
        with _reading(self.data_dir):
            row = self._database.execute("SELECT * FROM persons WHERE name = ?", (person,)).fetchone()
        return None if row is None else self._token(row)

    def add(self, person: str, refresh_token: str) -> None:
        """Store a new refresh token, made by hand; a person who is there already keeps their place."""
        if not PERSON_NAME.fullmatch(person):
            raise ConfigurationError(f"{person!r} is no person's name: use letters, digits, dots, dashes, underlines")
        with _transaction(self._database, self.data_dir):
            self._add(person, refresh_token, seed=self._fingerprint(refresh_token))

    def adopt(self, person: str, refresh_token: str) -> bool:
        """Store the token of QUOTEWIRE_PERSONS where the vault holds none that could still work.

        A token that was adopted before is not adopted again after it died. True when it was stored.
        """
        seed = self._fingerprint(refresh_token)
        with _transaction(self._database, self.data_dir):
            row = self._database.execute("SELECT * FROM persons WHERE name = ?", (person,)).fetchone()
            if row is not None and (row["seed"] == seed or not self._token(row).is_dead):
                return False
            self._add(person, refresh_token, seed=seed)
        return True

    def remove(self, person: str) -> bool:
        """Forget a person; False when there was none."""
        with _transaction(self._database, self.data_dir):
            self._database.execute("DELETE FROM streaming WHERE person = ?", (person,))
            return self._database.execute("DELETE FROM persons WHERE name = ?", (person,)).rowcount > 0

    def streaming(self) -> dict[str, bool]:
        """Whether a person's login may carry a stream, for those of whom that was said by hand."""
        with _reading(self.data_dir):
            rows = self._database.execute("SELECT person, allowed FROM streaming").fetchall()
        return {row["person"]: bool(row["allowed"]) for row in rows}

    def set_streaming(self, person: str, allowed: bool | None) -> None:
        """Say whether a person's login may carry a stream; None takes back what was said."""
        with _transaction(self._database, self.data_dir):
            self._database.execute("DELETE FROM streaming WHERE person = ?", (person,))
            if allowed is not None:
                self._database.execute("INSERT INTO streaming VALUES (?, ?)", (person, int(allowed)))

    # --- the journal; the caller holds the person's lock ---

    def begin_refresh(self, person: str, now: float) -> TokenRecord:
        """Write down that the refresh token is about to be sent; returns it. Raises IllegalEventError."""
        return self._step(person, Sent(now))

    def complete_refresh(self, person: str, outcome: Granted) -> TokenRecord:
        """Keep a new pair; on the disk when this returns."""
        return self._step(person, outcome)

    def fail_refresh(self, person: str, outcome: Outcome) -> TokenRecord:
        """Write down why no new pair came."""
        return self._step(person, outcome)

    @contextmanager
    def lock(self, person: str, wait_s: float) -> Iterator[None]:
        """Hold the person's exchange lock; it ends with the process, however that ends.

        Raises TimeoutError when another process holds it for longer than `wait_s`. Blocks the thread: for a process
        of its own, never for the event loop.
        """
        descriptor = os.open(self._lock_path(person), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + wait_s
            while not _try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process has been refreshing {person} for more than {wait_s:g} s")
                time.sleep(LOCK_POLL_S)
            yield
        finally:
            os.close(descriptor)

    def is_locked(self, person: str) -> bool:
        """Whether some process is exchanging this person's token now."""
        descriptor = os.open(self._lock_path(person), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            return not _try_lock(descriptor)
        finally:
            os.close(descriptor)

    def _lock_path(self, person: str) -> Path:
        return self.data_dir / f"refresh-{person}.lock"

    def _step(self, person: str, event: Event) -> Token:
        with _transaction(self._database, self.data_dir):
            row = self._database.execute("SELECT * FROM persons WHERE name = ?", (person,)).fetchone()
            if row is None:
                raise StorageError(f"{person} was removed from the vault while their token was being refreshed")
            token = step(self._token(row), event)
            self._store(person, token)
        return token

    def _add(self, person: str, refresh_token: str, *, seed: str) -> None:
        self._database.execute(
            "INSERT INTO persons SELECT ?, coalesce(max(place), 0) + 1, '', x'', NULL, 0.0, 0.0, 0, 0.0, '', ''"
            " FROM persons WHERE true ON CONFLICT (name) DO NOTHING",
            (person,),
        )
        self._store(person, step(Token(TokenState.EXPIRING, ""), Replaced(refresh_token)))
        self._database.execute("UPDATE persons SET seed = ? WHERE name = ?", (seed, person))

    def _store(self, person: str, token: Token) -> None:
        secrets = json.dumps({"refresh": token.refresh_token, "access": token.access_token}).encode()
        self._database.execute(
            "UPDATE persons SET state = ?, secrets = ?, api_server = ?, obtained_at = ?, expires_at = ?,"
            " doubtful_sends = ?, attempted_at = ?, last_error = ? WHERE name = ?",
            (
                token.state.value,
                self._sealer.seal(secrets, f"person {person}"),
                token.api_server,
                token.obtained_at,
                token.expires_at,
                token.doubtful_sends,
                token.attempted_at,
                token.last_error,
                person,
            ),
        )

    def _token(self, row: sqlite3.Row) -> Token:
        secrets: dict[str, Any] = json.loads(self._sealer.open(row["secrets"], f"person {row['name']}"))
        return Token(
            TokenState(row["state"]),
            secrets["refresh"],
            secrets["access"],
            row["api_server"],
            obtained_at=row["obtained_at"],
            expires_at=row["expires_at"],
            doubtful_sends=row["doubtful_sends"],
            attempted_at=row["attempted_at"],
            last_error=row["last_error"],
        )

    def _fingerprint(self, refresh_token: str) -> str:
        return hmac.new(self.derive_key("seed"), refresh_token.encode(), hashlib.sha256).hexdigest()


def _connect(data_dir: Path) -> sqlite3.Connection:
    try:
        if not data_dir.is_dir():
            data_dir.mkdir(parents=True, exist_ok=True)
            data_dir.chmod(0o700)
        path = data_dir / DATABASE
        # SQLite gives its journal files the mode of the database, so the mode is set before SQLite opens it. A file
        # that is there is not touched: closing it would end the locks of this process's other connections to it.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        sync_directory(data_dir)
        database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"the data directory {data_dir} cannot be used: {error}") from error
    try:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.executescript(SCHEMA)
    except sqlite3.Error as error:
        database.close()
        raise StorageError(f"{data_dir / DATABASE} is no vault or cannot be written: {error}") from error
    return database


@contextmanager
def _transaction(database: sqlite3.Connection, data_dir: Path) -> Iterator[None]:
    try:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise StorageError(f"{data_dir / DATABASE} cannot be written: {error}") from error


@contextmanager
def _reading(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"{data_dir / DATABASE} cannot be read: {error}") from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _prove(sealer: Sealer, proof: bytes, kind: str, data_dir: Path) -> None:
    try:
        sealer.open(proof, "proof")
    except BrokenSealError as error:
        what = "QUOTEWIRE_VAULT_KEY" if kind == "passphrase" else f"the key file {data_dir / KEY_FILE}"
        raise ConfigurationError(
            f"{what} does not open the vault in {data_dir}: give the key it was made with,"
            " or name another QUOTEWIRE_DATA_DIR and add the persons again"
        ) from error


def _wrong_kind(sealed_by: str, data_dir: Path) -> str:
    if sealed_by == "file":
        return (
            f"the vault in {data_dir} is sealed with its key file, not with QUOTEWIRE_VAULT_KEY:"
            " unset QUOTEWIRE_VAULT_KEY, or name another QUOTEWIRE_DATA_DIR and add the persons again"
        )
    return f"the vault in {data_dir} is sealed with a passphrase: set QUOTEWIRE_VAULT_KEY to it"
