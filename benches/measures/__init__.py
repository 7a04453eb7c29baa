"""The measures, by name. Each takes a `Setting` and returns an `Outcome`."""

from collections.abc import Callable
from typing import Final

from benches.measures import broadcast, fanout
from benches.setting import Outcome, Setting

MEASURES: Final[dict[str, Callable[[Setting], Outcome]]] = {
    "broadcast": broadcast.run,
    "fanout": fanout.run,
}
