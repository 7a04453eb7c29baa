"""Make before break: subscriptions asked for on another connection while the first still brings quotes. Pure.

A `reconnect` message starts it. Both connections bring quotes for a while; positions tell what is new. It is over when
every subscription stands on the new one, so that closing the first loses nothing.
"""

from collections.abc import Callable, Iterable, Sequence

from quotewire.client.asking import Asker
from quotewire.wire.messages import Subscribe, SymbolResult


class Move:
    """What was asked for on the new connection, and what of it has come."""

    def __init__(
        self, askers: Iterable[Asker], new_id: Callable[[str], str], *, limit_bytes: int, resume: bool
    ) -> None:
        """`limit_bytes` and `resume`: what the new connection's gateway takes, and whether it serves positions."""
        self.limit_bytes = limit_bytes
        self.resume = resume
        each = tuple(askers)
        self.asked: list[Subscribe] = [asker.message(new_id("sub")) for asker in each]
        self.options = {symbol_id: asker.options for asker in each for symbol_id in asker.ids}
        self.granted: set[int] = set()
        self._unanswered = {message.request_id for message in self.asked}
        self._unseen = set(self._unanswered)

    @property
    def over(self) -> bool:
        """True when every answer and every snapshot is here."""
        return not self._unanswered and not self._unseen

    def answered(self, request_id: str | None, results: Sequence[SymbolResult]) -> None:
        """`subscribed` came on the new connection."""
        self._unanswered.discard(request_id)
        self.granted.update(each.symbol_id for each in results if each.ok and each.symbol_id is not None)

    def snapshot(self, request_id: str | None) -> None:
        """`snapshot` came on the new connection."""
        self._unseen.discard(request_id)

    def refused(self, request_id: str | None) -> None:
        """`error` came on the new connection. What it was about is asked for again afterwards."""
        self._unanswered.discard(request_id)
        self._unseen.discard(request_id)
