"""One token exchange in a process of its own, so that nothing which ends the gateway can end the exchange half-way.

Run as `python -m quotewire.upstream.redeemer`; the errand comes on standard input, secrets included, and a report
without secrets goes to standard output. It leads its own session, ignores the signals that end its parent, and is
bounded by its own deadlines. In order: take the person's lock, settle what a dead predecessor left, write down that
the token is about to be sent, send it once, keep the new pair on the disk. The reasons are in docs/adr/0004.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

import msgspec

from quotewire.errors import QuotewireError, StorageError
from quotewire.questrade.login import probe, redeem
from quotewire.questrade.tokens import (
    Declined,
    Granted,
    Lost,
    Outcome,
    Refused,
    Token,
    TokenState,
    Unsent,
    advice,
)
from quotewire.upstream.vault import Vault

KEEP_TRYING_TO_STORE_S: Final = 60.0
STORE_RETRY_S: Final = 0.25


class Redeem(Protocol):
    """`questrade.login.redeem`, or something that stands for it."""

    async def __call__(self, login_url: str, refresh_token: str, *, answer_s: float) -> Outcome:
        """Send a refresh token once."""


class Probe(Protocol):
    """`questrade.login.probe`, or something that stands for it."""

    async def __call__(self, login_url: str, *, answer_s: float) -> bool:
        """Whether the token endpoint is well."""


class Errand(msgspec.Struct, kw_only=True):
    """What to exchange. `seen_obtained_at` stands for the pair the sender knows: another one ends the errand."""

    data_dir: str
    master_key: bytes
    person: str
    login_url: str
    seen_obtained_at: float = 0.0
    lock_wait_s: float = 45.0
    probe_s: float = 5.0
    answer_s: float = 30.0

    @property
    def longest_s(self) -> float:
        """After this the process has ended, unless the disk is full."""
        return self.lock_wait_s + self.probe_s + self.answer_s + 5.0


class Ending(StrEnum):
    """How an errand ended."""

    GRANTED = "granted"
    ALREADY = "already"  # another process refreshed meanwhile
    REFUSED = "refused"
    DECLINED = "declined"
    LOST = "lost"
    UNSENT = "unsent"
    WAITING = "waiting"  # not sent: the token endpoint does not look healthy
    DEAD = "dead"  # not sent: only a new token helps
    BUSY = "busy"  # not sent: another process holds the lock
    FAILED = "failed"  # this machine's trouble


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an errand; no secrets."""

    ending: Ending
    reason: str = ""
    retry_after_s: float = 0.0


ENDINGS: Final[dict[type[Outcome], Ending]] = {
    Granted: Ending.GRANTED,
    Refused: Ending.REFUSED,
    Declined: Ending.DECLINED,
    Lost: Ending.LOST,
    Unsent: Ending.UNSENT,
}


@dataclass(frozen=True, slots=True)
class Means:
    """What the exchange asks of the outside: the login server and two clocks (epoch and monotonic seconds)."""

    redeem: Redeem = redeem
    probe: Probe = probe
    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


REAL: Final = Means()


async def run(errand: Errand) -> Report:
    """Do the errand. Blocks on the lock and the database, as a process of its own may."""
    vault = Vault.attach(Path(errand.data_dir), errand.master_key)
    try:
        with vault.lock(errand.person, errand.lock_wait_s):
            return await exchange(vault, errand)
    except TimeoutError as error:
        return Report(ending=Ending.BUSY, reason=str(error))
    finally:
        vault.close()


async def exchange(vault: Vault, errand: Errand, means: Means = REAL) -> Report:
    """Do the errand; the caller holds the person's lock."""
    token = vault.get(errand.person)
    if token is None:
        return Report(ending=Ending.FAILED, reason=f"the vault holds no token of {errand.person}")
    if token.state is TokenState.REFRESHING:  # the lock is ours, so whoever sent it has died
        lost = Lost("the process that was refreshing ended before the answer came")
        token = vault.fail_refresh(errand.person, lost)
    if token.state is TokenState.FRESH and token.obtained_at != errand.seen_obtained_at:
        return Report(ending=Ending.ALREADY)
    if not token.can_be_sent:
        return Report(ending=Ending.DEAD, reason=advice(errand.person, token) or token.last_error)
    if token.last_error and not await _is_healthy(errand, means):
        return Report(ending=Ending.WAITING, reason=f"the login server is not well yet; before: {token.last_error}")
    return await _send(vault, errand, vault.begin_refresh(errand.person, means.wall()), means)


async def _is_healthy(errand: Errand, means: Means) -> bool:
    """A token that failed once is not risked again on a server that cannot even refuse an empty request."""
    try:
        async with asyncio.timeout(errand.probe_s):
            return await means.probe(errand.login_url, answer_s=errand.probe_s)
    except TimeoutError:
        return False


async def _send(vault: Vault, errand: Errand, token: Token, means: Means) -> Report:
    outcome: Outcome
    try:
        async with asyncio.timeout(errand.answer_s):
            outcome = await means.redeem(errand.login_url, token.refresh_token, answer_s=errand.answer_s)
    except TimeoutError:
        outcome = Lost(f"the login server gave no answer within {errand.answer_s:g} s")
    after = await _keep(vault, errand.person, outcome, means)
    reason = advice(errand.person, after) or after.last_error
    if isinstance(outcome, Refused):
        reason = f"{after.last_error}; {reason}"
    wait = outcome.retry_after_s if isinstance(outcome, Declined) else 0.0
    return Report(ending=ENDINGS[type(outcome)], reason=reason, retry_after_s=wait)


async def _keep(vault: Vault, person: str, outcome: Outcome, means: Means) -> Token:
    """Store the outcome. A new pair exists nowhere else, so a full disk is waited out for a while."""
    deadline = means.monotonic() + KEEP_TRYING_TO_STORE_S
    while True:
        try:
            if isinstance(outcome, Granted):
                return vault.complete_refresh(person, outcome)
            return vault.fail_refresh(person, outcome)
        except StorageError:
            if means.monotonic() > deadline:
                raise
        await asyncio.sleep(STORE_RETRY_S)


def detach() -> None:
    """Leave the parent's session and ignore what ends it."""
    with contextlib.suppress(PermissionError):  # already the leader of a session
        os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def main() -> int:
    """Read an errand from standard input, do it, report on standard output."""
    detach()
    text = sys.stdin.buffer.read()
    if not text:  # the parent died before it could say what it wanted
        return 2
    try:
        report = asyncio.run(run(msgspec.json.decode(text, type=Errand)))
    except QuotewireError as error:
        report = Report(ending=Ending.FAILED, reason=str(error))
    with contextlib.suppress(OSError):  # nobody may be listening any more; the vault knows all
        sys.stdout.buffer.write(msgspec.json.encode(report))
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
