"""One REST call, as a handler sees it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quotewire.simulator.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks for what. `port_of` gives the streaming port of the API host asked, for `quotes` or `notifications`."""

    world: World
    person: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    port_of: Callable[[str], int]
    subscribe: Callable[[str, tuple[int, ...]], None]
