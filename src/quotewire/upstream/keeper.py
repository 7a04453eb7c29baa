"""The keeper: sees to it that every person has a usable access token, and that no refresh token is wasted.

It decides when to refresh and runs one exchange a person at a time; the exchange itself, and every change of the
vault's journal, happens in a process of its own (`redeemer`). Nothing here is ever refreshed merely because a call
was refused: see `renew`.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from quotewire.errors import AccessTokenError, QuotewireError, StorageError, TokenSpentError, UntrustedHostError
from quotewire.questrade import hosts
from quotewire.questrade.rest import Access
from quotewire.questrade.tokens import Token, TokenState, advice, cool_down_ends, due_at
from quotewire.resilience.backoff import Chance
from quotewire.settings import Settings
from quotewire.upstream.chronicle import Chronicle, Happening, Why
from quotewire.upstream.gate import Gate
from quotewire.upstream.redeemer import Ending, Errand, Report
from quotewire.upstream.spawn import exchange
from quotewire.upstream.tuning import DEFAULT, Tuning
from quotewire.upstream.vault import Vault

LOOK_S: Final = 1.0  # between looks at the vault for persons added or removed by hand
DRAIN_S: Final = 3.0  # what calls under way get before a refresh goes ahead
PREPARE_S: Final = 4.0  # what others get to take over the symbols of a person who is about to be refreshed
FAREWELL_S: Final = 1.2  # what exchanges under way get when the gateway stops
START_SPACING_S: Final = 3.0  # the login server does not like two at once
TURN_S: Final = 0.05  # between two looks at whether it is one's turn
RATE_STEP_S: Final = 2.0
RATE_CAP_S: Final = 10.0
NO_SHIFT_S: Final = 2.0
SHORT_LIFE_SHARE: Final = 0.5

SAFE_ENDINGS: Final = frozenset({Ending.UNSENT, Ending.WAITING, Ending.BUSY, Ending.FAILED})
GOOD_ENDINGS: Final = frozenset({Ending.GRANTED, Ending.ALREADY})

log = logging.getLogger("quotewire.upstream")


@dataclass(slots=True)
class Login:
    """What the keeper knows of one person beside the vault. `retry_at` is epoch seconds."""

    gate: Gate = field(default_factory=Gate)
    flight: asyncio.Task[None] | None = None
    failures: int = 0
    retry_at: float = 0.0
    short_lives: int = 0
    refused: str | None = field(default=None, repr=False)  # the access token Questrade refused
    raw_obtained_at: float = 0.0  # as the vault has it, by the wall clock of then
    shift_s: float = 0.0  # from that to the steady clock
    rehosts: int = 0
    rehost_at: float = 0.0
    host_error: str = ""
    is_unread: bool = False  # an exchange of ours ended well, and the vault could not be read since
    forced_at: float = float("-inf")


class Keeper:
    """Owner of every refresh.

    `on_change(person)` is called when a person's token or state changed; `before_refresh(person)` is awaited, for a
    while, before a working access token is replaced.
    """

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        *,
        chronicle: Chronicle,
        on_change: Callable[[str], None],
        before_refresh: Callable[[str], Awaitable[None]] | None = None,
        tuning: Tuning = DEFAULT,
        now: Callable[[], float] = time.time,
        wall: Callable[[], float] | None = None,
        chance: Chance = random.random,
        exchange: Callable[[Errand], Awaitable[Report]] = exchange,
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._chronicle = chronicle
        self._on_change = on_change
        self._before_refresh = before_refresh
        self._tuning = tuning
        self._policy = tuning.refresh
        self._now = now
        self._wall = wall or now
        self._chance = chance
        self._exchange_by = exchange
        self._tokens: dict[str, Token] = {}
        self._logins: dict[str, Login] = {}
        self._streaming: dict[str, bool] = {}
        self._wake = asyncio.Event()
        self._started_at = 0.0  # when the last exchange began
        self._not_before = 0.0  # what the rate-limit ladder allows
        self._ladder = 0
        self.refreshes = 0
        self._is_ending = False

    # --- what can be asked ---

    @property
    def persons(self) -> list[str]:
        """Every person, in the order they are tried in."""
        return list(self._tokens)

    def token(self, person: str) -> Token | None:
        """The person's token as last seen in the vault."""
        return self._tokens.get(person)

    def last_error(self, person: str) -> str:
        """Why the person's login does not work, as a sentence; empty when it does."""
        token = self._tokens.get(person)
        if token is None:
            return f"there is no person {person}"
        return self._logins[person].host_error or advice(person, token) or token.last_error or self._refusal(person)

    def _refusal(self, person: str) -> str:
        if not self._is_refused(person):
            return ""
        wait_s = max(self._logins[person].retry_at - self._now(), 0.0)
        return f"Questrade refused {person}'s access token before its time; it is replaced in {wait_s:.0f} s"

    def is_dead(self, person: str) -> bool:
        """Whether only the operator can help."""
        token = self._tokens.get(person)
        return token is None or token.is_dead

    def may_stream(self, person: str) -> bool:
        """Whether the person's login may carry a stream: the vault's word, else that of QUOTEWIRE_NO_STREAM."""
        return self._streaming.get(person, person not in self._settings.no_stream)

    def access(self, person: str) -> Access | None:
        """What a call needs; None when the person has no usable access token now."""
        token = self._tokens.get(person)
        if token is None or token.access_token is None or token.api_server is None:
            return None
        if not token.usable(self._now()) or self._is_refused(person):
            return None
        login = self._logins[person]
        try:
            server = hosts.check(token.api_server, self._settings.api_hosts)
        except UntrustedHostError as error:
            if not login.host_error:
                login.host_error = str(error)
                self._note(person, Why.UNTRUSTED_HOST, str(error), level=logging.ERROR)
            return None
        login.host_error = ""
        return Access(person, server, token.access_token)

    @asynccontextmanager
    async def use(self, person: str) -> AsyncIterator[Access]:
        """An access token for one call, during which no refresh begins. Raises AccessTokenError when there is none."""
        login = self._logins.get(person)
        if login is None:
            raise AccessTokenError(f"there is no person {person}")
        async with login.gate.call():
            access = self.access(person)
            if access is None:
                raise AccessTokenError(f"{person} has no usable access token now: {self.last_error(person)}")
            yield access

    def is_refreshing(self, person: str) -> bool:
        """Whether an exchange is under way."""
        login = self._logins.get(person)
        return login is not None and login.flight is not None

    async def settled(self, person: str) -> None:
        """Wait for an exchange under way, if there is one. The caller sets the deadline."""
        login = self._logins.get(person)
        if login is not None and login.flight is not None:
            await asyncio.wait({login.flight})

    # --- what can be done ---

    def load(self) -> None:
        """Take QUOTEWIRE_PERSONS over where the vault holds none, and read the vault."""
        for person, token in self._settings.persons.items():
            if self._vault.adopt(person, token):
                self._note(person, Why.NEW_TOKEN, f"{person}'s token was taken over from QUOTEWIRE_PERSONS")
        self._read()
        for person in sorted(self._settings.no_stream - self._tokens.keys()):
            detail = f"QUOTEWIRE_NO_STREAM names {person}, of whom no login is held; is the name right?"
            self._note(person, Why.STREAMING_OFF, detail, level=logging.WARNING)

    async def run(self) -> None:
        """Keep every login usable until cancelled."""
        try:
            while True:
                self._wake.clear()
                delay = self._look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(max(delay, 0.01), LOOK_S)):
                        await self._wake.wait()
        finally:
            await self._stop_flights()

    def _look(self) -> float:
        """See what has changed and start what is due; seconds until something else is.

        A vault that cannot be read just now is no reason to end streams that work.
        """
        self._try_read()
        return self._start_due()

    def _try_read(self) -> bool:
        """Read the vault, if it can be read now."""
        try:
            self._read()
        except StorageError as error:
            log.error("%s", error, extra={"event": "upstream.trouble", "reason": error.code})
            return False
        return True

    async def refresh(self, person: str, *, force: bool = False) -> Token:
        """Make sure of a usable token. One exchange at a time.

        With `force`, of a new one, unless one was forced within the last minute, or something else keeps refreshing
        the same login.

        Raises TokenSpentError when only a new token, made by hand, helps; AccessTokenError when it did not work now.
        """
        self._read()
        token = self._known(person)
        if token.is_dead:
            raise TokenSpentError(self.last_error(person))
        fresh = self.access(person) is not None and not self.is_refreshing(person)
        if fresh and not (force and self._may_force(person, token)):
            return token
        if self._now() < self._logins[person].retry_at and not self.is_refreshing(person):
            raise AccessTokenError(f"{person}'s token could not be refreshed just now: {self.last_error(person)}")
        if force:
            self._logins[person].forced_at = self._now()
        await self._exchange(person, Why.REQUESTED)
        return self._result(person)

    def _may_force(self, person: str, token: Token) -> bool:
        login, now = self._logins[person], self._now()
        if login.short_lives and now < cool_down_ends(token, self._policy, short_lives=login.short_lives):
            return False
        return now >= login.forced_at + self._policy.forced_spacing_s

    async def renew(self, person: str, refused: str) -> Token:
        """Get past a refused access token, without ever starting a refresh storm.

        If the refused token is no longer the current one, there is nothing to do. If it is and is young, somebody else
        is refreshing the same login: answering at once would kill theirs, so a cool-down is waited out first, longer
        each time. Raises like `refresh`; AccessTokenError while the cool-down lasts.
        """
        self._try_read()  # the refused one may have been replaced by hand a moment ago
        token = self._known(person)
        if self.access(person) is not None and token.access_token != refused:
            return token
        if token.is_dead:
            raise TokenSpentError(self.last_error(person))
        self._doubt(person, token)
        now, login = self._now(), self._logins[person]
        if now < login.retry_at:
            why = f"was refused {now - token.obtained_at:.0f} s after it was made"
            if not token.obtained_at:
                why = f"is still to be had ({self.last_error(person) or 'no answer yet'})"
            wait_s = login.retry_at - now
            raise AccessTokenError(f"{person}'s access token {why}; the next refresh is in {wait_s:.0f} s")
        await self._exchange(person, self._why(person))
        return self._result(person)

    def rehost(self, person: str) -> None:
        """The API host of a working token cannot be reached: the next token may name another."""
        login, now = self._logins.get(person), self._now()
        if (
            login is None
            or self.access(person) is None
            or login.flight is not None
            or self._is_ending
            or now < max(login.rehost_at, login.retry_at)
        ):
            return
        login.rehosts += 1
        login.rehost_at = now + self._tuning.rehost.ceiling(login.rehosts)
        self._launch(person, Why.HOST_UNREACHABLE)

    def reached(self, person: str) -> None:
        """The API host answered."""
        login = self._logins.get(person)
        if login is not None:
            login.rehosts, login.rehost_at = 0, 0.0

    def _doubt(self, person: str, token: Token) -> None:
        """Take a refused access token out of use, and say from when on it may be replaced."""
        login = self._logins[person]
        if login.refused == token.access_token:
            return
        now = self._now()
        login.refused = token.access_token
        early = now < token.expires_at and now - token.obtained_at < token.life_s * SHORT_LIFE_SHARE
        login.short_lives = login.short_lives + 1 if early else 0
        doublings = max(login.short_lives - 1, 0)
        login.retry_at = max(login.retry_at, cool_down_ends(token, self._policy, short_lives=doublings))
        self._wake.set()
        self._on_change(person)

    # --- exchanges ---

    def _start_due(self) -> float:
        """Start what is due; seconds until something else is."""
        soonest = float("inf")
        for person in self._tokens:
            if self.is_refreshing(person):
                continue
            wait = max(self._due(person), self._may_start_at()) - self._now()
            if wait <= 0:
                self._launch(person, self._why(person))
            else:
                soonest = min(soonest, wait)
        return soonest

    def _due(self, person: str) -> float:
        token, login = self._tokens[person], self._logins[person]
        if token.is_dead:
            return float("inf")
        if token.state is not TokenState.FRESH or self._is_refused(person):
            return login.retry_at
        return max(due_at(token, self._policy), login.retry_at)

    def _may_start_at(self) -> float:
        """One exchange at a time, unless the one under way is slow; and not before a rate limit allows it."""
        busy = any(login.flight is not None for login in self._logins.values())
        return max(self._not_before, self._started_at + START_SPACING_S if busy else 0.0)

    def _why(self, person: str) -> Why:
        token = self._tokens[person]
        if not token.obtained_at:
            return Why.STARTUP
        return Why.ACCESS_REFUSED if self._is_refused(person) else Why.EXPIRY

    def _is_refused(self, person: str) -> bool:
        refused = self._logins[person].refused
        return refused is not None and refused == self._tokens[person].access_token

    def _launch(self, person: str, why: Why) -> asyncio.Task[None]:
        """Begin an exchange, or say which is under way. Raises AccessTokenError when the gateway is about to end."""
        login = self._logins[person]
        if login.flight is None and self._is_ending:
            raise AccessTokenError(f"{person}'s token is not refreshed any more: the gateway is about to end")
        if login.flight is None:
            self._started_at = self._now()
            login.flight = asyncio.create_task(self._fly(person, why), name=f"refresh {person}")
        return login.flight

    async def _exchange(self, person: str, why: Why) -> None:
        """Run an exchange when it is its turn, or join the one under way; being cancelled does not end it."""
        login, before = self._logins[person], self._known(person)
        while login.flight is None and (wait := self._may_start_at() - self._now()) > 0:
            await asyncio.sleep(min(wait, TURN_S))
            after = self._tokens.get(person)
            if after is None or after.refresh_token != before.refresh_token or self._now() < login.retry_at:
                return  # somebody else has seen to it meanwhile, or has failed
        await asyncio.shield(self._launch(person, why))

    async def _fly(self, person: str, why: Why) -> None:
        login = self._logins[person]
        errand = self._errand(person)  # names the pair it was decided on: one made by hand meanwhile is not spent
        try:
            await self._prepare(person)
            async with login.gate.refresh(DRAIN_S):
                report = await self._exchange_by(errand)
                self._settle(person, why, report)
        except QuotewireError as error:
            self._settle(person, why, Report(ending=Ending.FAILED, reason=str(error)))
        finally:
            login.flight = None
            self._wake.set()
        self._on_change(person)

    async def _prepare(self, person: str) -> None:
        """A refresh ends the streams of the token before it: let others take over what they carry, if they can."""
        if self._before_refresh is not None and self.access(person) is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PREPARE_S):
                    await self._before_refresh(person)

    def _errand(self, person: str) -> Errand:
        return Errand(
            data_dir=str(self._vault.data_dir),
            master_key=self._vault.master_key,
            person=person,
            login_url=self._settings.login_url,
            seen_obtained_at=self._logins[person].raw_obtained_at,
        )

    def _settle(self, person: str, why: Why, report: Report) -> None:
        """Take over how an exchange ended."""
        self.refreshes += report.ending is Ending.GRANTED
        login = self._logins[person]
        was_read = self._try_read()
        if report.ending in GOOD_ENDINGS:
            login.is_unread = not was_read
            login.failures, login.retry_at, login.refused = 0, 0.0, None
            self._ladder = 0
            self._note(person, why, f"{person}'s token was refreshed ({why})")
            return
        login.failures += 1
        if why is Why.HOST_UNREACHABLE:  # it taught nothing about the host
            login.rehosts, login.rehost_at = max(login.rehosts - 1, 0), 0.0
        pace = self._tuning.unrisked if report.ending in SAFE_ENDINGS else self._tuning.risked
        login.retry_at = self._now() + max(pace.delay(login.failures, self._chance), report.retry_after_s)
        if report.retry_after_s:
            self._ladder += 1
            self._not_before = self._now() + min(RATE_STEP_S * self._ladder, RATE_CAP_S)
        level = logging.ERROR if self.is_dead(person) else logging.WARNING
        self._note(person, why, f"{person}'s token was not refreshed ({report.ending}): {report.reason}", level=level)

    def _result(self, person: str) -> Token:
        token = self._known(person)
        if token.is_dead:
            raise TokenSpentError(self.last_error(person))
        if self.access(person) is None:
            raise AccessTokenError(f"{person}'s token could not be refreshed now: {self.last_error(person)}")
        return token

    # --- the vault ---

    def _read(self) -> None:
        """Read the vault again; persons added, replaced or removed by hand are noticed here."""
        before = self._tokens
        self._read_streaming()
        tokens = {person: self._vault.get(person) for person in self._vault.persons()}
        self._tokens = {person: self._aged(person, token) for person, token in tokens.items() if token is not None}
        for person, token in self._tokens.items():
            login = self._logins[person]
            if person in before and before[person].obtained_at != token.obtained_at:
                login.host_error = ""
                if token.obtained_at and login.flight is None and not login.is_unread:
                    told = f"{person}'s token was refreshed by another program on this vault"
                    self._note(person, Why.REQUESTED, told)
                login.is_unread = False
            if person not in before or before[person] != token:
                if not token.obtained_at and not token.attempted_at:  # a new token, made by hand
                    login.failures, login.retry_at, login.refused = 0, 0.0, None
                self._on_change(person)
        for person in before.keys() - self._tokens.keys():
            self._note(person, Why.REMOVED, f"{person} was removed from the vault")
            self._on_change(person)

    def _read_streaming(self) -> None:
        before = {person: self.may_stream(person) for person in self._tokens}
        self._streaming = self._vault.streaming()
        for person, allowed in before.items():
            if allowed is not self.may_stream(person):
                why = Why.STREAMING_OFF if allowed else Why.STREAMING_ON
                self._note(person, why, f"{person}'s login may {'no longer' if allowed else 'again'} carry a stream")
                self._on_change(person)

    def _aged(self, person: str, token: Token) -> Token:
        """The token with its times on the steady clock, so that nobody who sets the wall clock changes its age.

        A pair that seems to come from the future was made a moment ago, by a clock that was set back since.
        """
        login = self._logins.setdefault(person, Login())
        if not token.obtained_at:
            login.raw_obtained_at = login.shift_s = 0.0
            return token
        if token.obtained_at != login.raw_obtained_at:
            login.raw_obtained_at = token.obtained_at
            age_s = max(self._wall() - token.obtained_at, 0.0)
            shift_s = self._now() - age_s - token.obtained_at
            login.shift_s = shift_s if abs(shift_s) > NO_SHIFT_S else 0.0
        if not login.shift_s:
            return token
        return replace(
            token, obtained_at=token.obtained_at + login.shift_s, expires_at=token.expires_at + login.shift_s
        )

    def _known(self, person: str) -> Token:
        token = self._tokens.get(person)
        if token is None:
            raise AccessTokenError(f"there is no person {person}; add them with: quotewire persons add {person}")
        return token

    def _note(self, person: str, why: Why, detail: str, *, level: int = logging.INFO) -> None:
        self._chronicle.note(Happening.TOKEN, why, person=person, detail=detail, level=level)

    async def _stop_flights(self) -> None:
        """Give exchanges under way a moment, since a container's end is theirs too; then let them finish alone."""
        self._is_ending = True
        flights = [login.flight for login in self._logins.values() if login.flight is not None]
        if flights:
            await asyncio.wait(flights, timeout=FAREWELL_S)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
