"""The measures, by name. Each takes a `Setting` and returns an `Outcome`."""

from collections.abc import Callable
from typing import Final

from benches.measures import broadcast, calm, curve, every_tick, fanout, intake, keyed, memory, neighbours, storm, users
from benches.setting import Outcome, Setting

MEASURES: Final[dict[str, Callable[[Setting], Outcome]]] = {
    "broadcast": broadcast.run,
    "fanout": fanout.run,
    "calm": calm.run,
    "memory": memory.run,
    "storm": storm.run,
    "keyed": keyed.run,
    "stalled": neighbours.stalled,
    "hostile": neighbours.hostile,
    "curve": curve.run,
    "every_tick": every_tick.run,
    "intake": intake.run,
    "users": users.run,
}
