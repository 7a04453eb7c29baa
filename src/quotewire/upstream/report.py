"""What operators see of the upstream: persons, tokens, streams, budgets, breakers, last reasons. No secrets."""

from dataclasses import dataclass
from typing import Any

from quotewire.questrade.tokens import TokenState
from quotewire.upstream.desk import Desk
from quotewire.upstream.fleet import Fleet
from quotewire.upstream.keeper import Keeper


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


def person_report(person: str, keeper: Keeper, fleet: Fleet, desk: Desk, wall: float) -> dict[str, Any]:
    """The same with budgets, breakers and the stream's machine; `wall` is epoch seconds."""
    state, session, token = person_state(person, keeper, fleet), fleet.sessions.get(person), keeper.token(person)
    return {
        "name": state.name,
        "isActive": state.is_active,
        "tokenState": state.token_state,
        "tokenAgeS": round(wall - token.obtained_at, 1) if token and token.obtained_at else None,
        "expiresAt": int(state.expires_at * 1000) or None,
        "apiServer": state.api_server,
        "lastError": state.last_error,
        "needsOperator": keeper.is_dead(person),
        "mayStream": keeper.may_stream(person),
        **desk.report(person),
        "stream": session.snapshot if session else None,
        "nextAttemptInS": session.next_attempt_in_s if session else None,
        "symbolCount": state.symbol_count,
    }


def fleet_counters(fleet: Fleet) -> dict[str, int | float]:
    """Plain numbers of all streams."""
    sessions = fleet.sessions.values()
    return {
        "streams_live": sum(session.is_live for session in sessions),
        "streams_opened": sum(session.streams_opened for session in sessions),
        "frames": sum(session.frames for session in sessions),
        "spoiled": sum(session.spoiled for session in sessions),
        "symbols_carried": len(fleet.carried),
    }


def _token_state(state: TokenState | None, *, refreshing: bool) -> str:
    if state is None:
        return "unknown"
    return TokenState.REFRESHING.value if refreshing else state.value
