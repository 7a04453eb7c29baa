"""What operators see of the upstream: persons, tokens, streams, budgets, breakers, last reasons. No secrets."""

from dataclasses import dataclass
from typing import Any, Final

from quotewire.questrade.tokens import TokenState
from quotewire.resilience.breaker import Circuit
from quotewire.upstream.desk import Desk
from quotewire.upstream.fleet import Fleet
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.session import StreamSession

TOKEN_STATES: Final = tuple(state.value for state in TokenState)
CIRCUITS: Final = {Circuit.CLOSED: 0, Circuit.HALF_OPEN: 1, Circuit.OPEN: 2}


@dataclass(frozen=True, slots=True)
class Reading:
    """One number with the labels that the catalogue of metrics has for its name, in that order."""

    name: str
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class PersonState:
    """One person's login. `expires_at` is epoch seconds."""

    name: str
    is_active: bool
    token_state: str
    api_server: str | None
    expires_at: float
    last_error: str
    stream: str
    symbol_count: int


def person_state(person: str, keeper: Keeper, fleet: Fleet) -> PersonState:
    """How a person's login and stream stand."""
    token = keeper.token(person)
    session = fleet.sessions.get(person)
    return PersonState(
        name=person,
        is_active=keeper.access(person) is not None,
        token_state=_token_state(token.state if token else None, refreshing=keeper.is_refreshing(person)),
        api_server=token.api_server if token else None,
        expires_at=token.expires_at if token else 0.0,
        last_error=keeper.last_error(person),
        stream=session.snapshot.state.value if session else "disconnected",
        symbol_count=len(session.carried) if session else 0,
    )


def person_report(person: str, keeper: Keeper, fleet: Fleet, desk: Desk, wall: float, now: float) -> dict[str, Any]:
    """The same with budgets, breakers and the stream's machine; `wall` is epoch, `now` monotonic seconds."""
    state, session, token = person_state(person, keeper, fleet), fleet.sessions.get(person), keeper.token(person)
    return {
        "name": state.name,
        "isActive": state.is_active,
        "tokenState": state.token_state,
        "tokenAgeS": round(wall - token.obtained_at, 1) if token and token.obtained_at else None,
        "expiresAt": int(state.expires_at * 1000) or None,
        "apiServer": state.api_server,
        "lastError": state.last_error or _rivalry(session, now),
        "needsOperator": keeper.is_dead(person),
        "mayStream": keeper.may_stream(person),
        **desk.report(person),
        "stream": session.snapshot if session else None,
        "nextAttemptInS": _next_attempt_in_s(session, now),
        "symbolCount": state.symbol_count,
    }


def person_readings(person: str, keeper: Keeper, fleet: Fleet, desk: Desk, epoch_s: float) -> list[Reading]:
    """The same as numbers, each with its labels."""
    state, session, token = person_state(person, keeper, fleet), fleet.sessions.get(person), keeper.token(person)
    found = [
        Reading("quotewire_upstream_token_state", (person, each), float(each == state.token_state))
        for each in TOKEN_STATES
    ]
    if token is not None and token.obtained_at:
        found.append(Reading("quotewire_upstream_token_age_seconds", (person,), max(epoch_s - token.obtained_at, 0.0)))
    found.append(Reading("quotewire_upstream_stream_live", (person,), float(session is not None and session.is_live)))
    found.append(Reading("quotewire_upstream_symbols_carried", (person,), state.symbol_count))
    for category, view in desk.budgets(person).items():
        for window, used, limit in (
            ("second", view.used_second, view.per_second),
            ("hour", view.per_hour - view.left_hour, view.per_hour),
        ):
            labels = (person, category.value, window)
            found.append(Reading("quotewire_upstream_budget_used", labels, max(used, 0)))
            found.append(Reading("quotewire_upstream_budget_limit", labels, limit))
    for endpoint, circuit in desk.breakers(person).items():
        found.append(Reading("quotewire_upstream_breaker", (person, endpoint.value), CIRCUITS[circuit]))
    return found


def fleet_counters(fleet: Fleet) -> dict[str, int | float]:
    """Plain numbers of all streams."""
    sessions = fleet.sessions.values()
    return {
        "streams_live": sum(session.is_live for session in sessions),
        "streams_opened": sum(session.streams_opened for session in sessions),
        "frames": sum(session.reader.frames for session in sessions),
        "spoiled": sum(session.reader.spoiled for session in sessions),
        "symbols_carried": len(fleet.carried),
    }


def _token_state(state: TokenState | None, *, refreshing: bool) -> str:
    if state is None:
        return "unknown"
    return TokenState.REFRESHING.value if refreshing else state.value


def _next_attempt_in_s(session: StreamSession | None, now: float) -> float | None:
    at = session.snapshot.next_attempt_at if session is not None else None
    return None if at is None else max(at - now, 0.0)


def _rivalry(session: StreamSession | None, now: float) -> str:
    """In plain words, while we leave the login's stream to another program."""
    if session is None or session.rivalry.held_until <= now:
        return ""
    return session.rivalry.words(session.person, session.rivalry.held_until - now)
