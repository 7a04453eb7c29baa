"""The seams of the bus: what it carries from, and what it carries to. Another engine fits between the same shapes.

An engine publishes what a `Source` stamps to every `Sink`, preceded by what came before, and carries wants and
questions back. In one process that is a function call (`memory.py`); between the processes of one machine it is a Unix
socket (`publisher.py`, `subscriber.py`).
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any, Protocol

from quotewire.bus.envelope import Reading, TokenView
from quotewire.market.quote import Quote
from quotewire.market.symbol import Symbol
from quotewire.resilience.accounts import Held
from quotewire.wire.codes import ErrorCode
from quotewire.wire.messages import UpstreamState


class LookedUp(Protocol):
    """One symbol asked for and what was found; see the edge's port of the same name."""

    @property
    def asked(self) -> str | int:
        """The name or id."""

    @property
    def symbol(self) -> Symbol | None:
        """What was found."""

    @property
    def code(self) -> ErrorCode | None:
        """Why nothing was."""

    @property
    def reason(self) -> str:
        """The same in a sentence."""

    @property
    def retryable(self) -> bool:
        """Whether the same look-up may work later."""


class Login(Protocol):
    """One person's login."""

    @property
    def name(self) -> str:
        """The person."""

    @property
    def is_active(self) -> bool:
        """Whether it works."""

    @property
    def last_error(self) -> str:
        """Why it does not, in a sentence."""


class Source(Protocol):
    """What stands at the head of the bus: the upstream."""

    @property
    def state(self) -> UpstreamState:
        """The connection to Questrade as a whole."""

    def want(self, symbol_ids: Set[int]) -> None:
        """The whole set of symbols wanted anywhere."""

    def persons(self) -> Sequence[Login]:
        """Everybody whose login is held."""

    async def resolve(self, names: Sequence[str], ids: Sequence[int]) -> Sequence[LookedUp]:
        """Symbols by name and by id, names first."""

    async def search(self, prefix: str, offset: int = 0) -> Sequence[Symbol]:
        """Symbols by prefix. Raises UpstreamError."""

    async def snapshot(self, ids: Sequence[int]) -> Sequence[Quote]:
        """The newest quote of each. Raises UpstreamError."""

    async def refresh(self, person: str, *, force: bool = False) -> Login:
        """Make sure of a working login."""

    def report(self) -> dict[str, Any]:
        """Everything an operator may want to know."""


class Reports(Protocol):
    """What clients report of themselves, added up."""

    def add(self, client: str, report: Mapping[str, float]) -> None:
        """Take one report."""

    def summary(self) -> dict[str, object]:
        """The aggregate as JSON."""


class Sink(Protocol):
    """What stands at an end of the bus: a node with clients."""

    def publish(self, quotes: Sequence[Quote]) -> None:
        """Take updates, oldest first."""

    def tell(self, state: UpstreamState) -> None:
        """The upstream changed."""

    def lost(self, epoch: int) -> None:
        """Nothing comes from the upstream any more: what is known is stale, in the count `epoch`, which goes no on."""

    def readings(self) -> Sequence[Reading]:
        """The numbers of this node."""

    def counters(self) -> Sequence[Reading]:
        """Those of them that only grow, read in no time: they are told often, and outlive a node that is killed."""

    def held(self) -> Sequence[Held]:
        """All that the clients of this node hold of what addresses and keys may have; from now on it counts."""


def views(logins: Sequence[Login]) -> list[TokenView]:
    """Logins as they cross the bus."""
    return [TokenView(login.name, login.is_active, login.last_error) for login in logins]
