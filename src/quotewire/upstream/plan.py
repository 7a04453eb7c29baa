"""Which person's stream should carry which symbol. Pure: the same question gets the same answer.

A symbol stays where it is while it can: every move costs a request on two logins. New symbols go to whoever carries
least, earlier persons first. Nobody carries much more than their share, so that one login's trouble is a small one.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from math import ceil
from typing import Final

SLACK_SHARE: Final = 0.25
SLACK_SYMBOLS: Final = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """`symbols_per_stream`: Questrade documents no limit; the longest list seen in use was some hundred long."""

    symbols_per_stream: int = 400


@dataclass(frozen=True, slots=True)
class Bearer:
    """A person as the plan sees them. `fit`: their stream works, or nothing speaks against it."""

    person: str
    fit: bool
    limit: int


Assignment = dict[str, frozenset[int]]


def plan(wanted: Set[int], bearers: Sequence[Bearer], current: Mapping[str, Set[int]]) -> Assignment:
    """Distribute `wanted` over the bearers, in the order they are preferred.

    Fit ones carry everything they can hold. With nobody fit, the unfit ones do, so that somebody keeps trying. What
    does not fit in is in nobody's share: it has to be polled.
    """
    chosen = [bearer for bearer in bearers if bearer.fit] or list(bearers)
    if not chosen:
        return {}
    share = ceil(len(wanted) / len(chosen) * (1 + SLACK_SHARE)) + SLACK_SYMBOLS
    taken: dict[str, set[int]] = {bearer.person: set() for bearer in chosen}
    free = set(wanted)
    for bearer in chosen:
        kept = sorted(free & set(current.get(bearer.person, ())))[: min(share, bearer.limit)]
        taken[bearer.person].update(kept)
        free.difference_update(kept)
    for symbol_id in sorted(free):
        open_ones = [bearer for bearer in chosen if len(taken[bearer.person]) < bearer.limit]
        if not open_ones:
            break
        least = min(open_ones, key=lambda bearer: len(taken[bearer.person]))
        taken[least.person].add(symbol_id)
    return {person: frozenset(ids) for person, ids in taken.items()}


def hand_over(target: Mapping[str, Set[int]], carried: Mapping[str, Set[int]]) -> Assignment:
    """What each stream should carry now so that nothing is dropped before its new stream has it.

    `carried` is what each live stream carries. A symbol leaves its old stream when its new one carries it.
    """
    shares: dict[str, set[int]] = {person: set(ids) for person, ids in target.items()}
    for old, ids in carried.items():
        for new, wanted in target.items():
            if new != old:
                waiting = set(ids) & set(wanted) - set(carried.get(new, ()))
                shares.setdefault(old, set()).update(waiting)
    return {person: frozenset(ids) for person, ids in shares.items()}
