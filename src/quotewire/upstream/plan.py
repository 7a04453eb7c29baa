"""Which person's stream should carry which symbol. Pure: the same question gets the same answer.

A symbol stays where it is while it can: every move costs a request on two logins. New symbols go to whoever carries
least, earlier persons first. Nobody carries much more than their share, so that one login's trouble is a small one.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import IntEnum
from math import ceil
from typing import Final

SLACK_SHARE: Final = 0.25
SLACK_SYMBOLS: Final = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """`symbols_per_stream`: Questrade documents no limit; the longest list seen in use was some hundred long."""

    symbols_per_stream: int = 400


class Rank(IntEnum):
    """How much may be expected of a person's stream. Who comes later is asked for what the earlier have no room for."""

    FIT = 0  # it works, or nothing speaks against it
    WORKING = 1  # it is up, though it failed a while ago
    TRYING = 2  # it was merely dropped, and is being tried at once
    EAGER = 3  # it was merely dropped, and may be tried at once
    RESTING = 4  # it could not be had


@dataclass(frozen=True, slots=True)
class Bearer:
    """A person as the plan sees them."""

    person: str
    rank: Rank
    limit: int


Assignment = dict[str, frozenset[int]]


def plan(
    wanted: Set[int],
    bearers: Sequence[Bearer],
    current: Mapping[str, Set[int]],
    *,
    copies: int = 1,
    lingering: Set[int] = frozenset(),
) -> Assignment:
    """Distribute `wanted` over the bearers, in the order they are preferred, each symbol to `copies` of them.

    Who is fit or working carries everything they can hold; the fit come first, but nothing moves from one who works,
    or whose stream is about to come up, for that alone. What does not fit in goes to the eager, and what these have no
    room for to the resting, so that somebody keeps trying; a second copy goes to no resting one, unless there are only
    these. What fits in nowhere is in nobody's share: it has to be polled. No symbol has a second bearer while another
    has none. What is `lingering`, for nobody wants it any more, stays where it is as long as that costs no room.
    """
    stages = [
        [bearer for bearer in bearers if bearer.rank in ranks]
        for ranks in ((Rank.FIT, Rank.WORKING, Rank.TRYING), (Rank.EAGER,), (Rank.RESTING,))
    ]
    counts = dict.fromkeys(sorted(wanted), 0)
    taken: dict[str, set[int]] = {}
    for stage in stages:
        is_last = bool(stage) and stage[0].rank is Rank.RESTING
        most = 1 if is_last and taken else min(copies, len(taken) + len(stage))
        if stage and any(count < most for count in counts.values()):
            taken |= _fill(stage, counts, current, most)
    for bearer in stages[0]:
        mine = taken.setdefault(bearer.person, set())
        stays = sorted(lingering & frozenset(current.get(bearer.person, ())) - wanted)
        mine.update(stays[: max(bearer.limit - len(mine), 0)])
    return {person: frozenset(ids) for person, ids in taken.items()}


def _fill(
    chosen: Sequence[Bearer], counts: dict[int, int], current: Mapping[str, Set[int]], copies: int
) -> dict[str, set[int]]:
    """Who of `chosen` takes what of the symbols that have fewer than `copies` bearers; `counts` has how many."""
    missing = sum(copies - count for count in counts.values() if count < copies)
    taken: dict[str, set[int]] = {bearer.person: set() for bearer in chosen}
    for bearer in chosen:
        mine = current.get(bearer.person, ())
        kept = [symbol_id for symbol_id, count in counts.items() if count < copies and symbol_id in mine]
        sharers = sum(other.rank <= bearer.rank for other in chosen)  # those of a later rank get only what is left
        share = ceil(missing / sharers * (1 + SLACK_SHARE)) + SLACK_SYMBOLS
        for symbol_id in kept[: min(share, bearer.limit)]:
            taken[bearer.person].add(symbol_id)
            counts[symbol_id] += 1
    for copy in range(1, copies + 1):
        for symbol_id in [symbol_id for symbol_id, count in counts.items() if count < copy]:
            bearer_of = _place(symbol_id, chosen, taken) or _make_room(symbol_id, copy, chosen, taken, counts)
            if bearer_of is not None:
                taken[bearer_of].add(symbol_id)
                counts[symbol_id] += 1
    return taken


def _place(symbol_id: int, chosen: Sequence[Bearer], taken: Mapping[str, Set[int]]) -> str | None:
    """Of the best rank that has room for it, who carries least and does not carry it yet."""
    able = [x for x in chosen if len(taken[x.person]) < x.limit and symbol_id not in taken[x.person]]
    return min(able, key=lambda bearer: (bearer.rank, len(taken[bearer.person]))).person if able else None


def _make_room(
    symbol_id: int, copy: int, chosen: Sequence[Bearer], taken: Mapping[str, set[int]], counts: dict[int, int]
) -> str | None:
    """A first bearer is worth more than another's second one, which is given up."""
    if copy > 1:
        return None
    for bearer in chosen:
        doubled = [other for other in taken[bearer.person] if counts[other] > 1]
        if doubled:
            given_up = max(doubled)
            taken[bearer.person].remove(given_up)
            counts[given_up] -= 1
            return bearer.person
    return None


def hand_over(
    target: Mapping[str, Set[int]], carried: Mapping[str, Set[int]], taken: Mapping[str, Set[int]] | None = None
) -> Assignment:
    """What each stream should carry now so that nothing is dropped before its new stream has it.

    `carried` is what each live stream carries, `taken` what it has carried for long enough that others may drop it. A
    symbol leaves its old stream when its new one has taken it over.
    """
    taken = carried if taken is None else taken
    shares: dict[str, set[int]] = {person: set(ids) for person, ids in target.items()}
    for old, ids in carried.items():
        for new, wanted in target.items():
            if new != old:
                waiting = set(ids) & set(wanted) - set(taken.get(new, ()))
                shares.setdefault(old, set()).update(waiting)
    return {person: frozenset(ids) for person, ids in shares.items()}


def bridge(
    shares: Mapping[str, Set[int]],
    missing: Set[int],
    room: Mapping[str, int],
    asked: Mapping[str, Set[int]],
    lingering: Set[int] = frozenset(),
) -> Assignment:
    """`shares` with the `missing` symbols, whose own bearer has no stream yet, carried by others meanwhile.

    `room` is how many more each may take, those in place of `lingering` ones counted. Who has been asked to stand in
    for a symbol goes on with that.
    """
    left = dict(room)
    found: dict[str, set[int]] = {person: set(ids) for person, ids in shares.items()}
    for symbol_id in sorted(missing):
        able = [person for person in left if left[person] > 0]
        if not able:
            break
        chosen = max(able, key=lambda person: (symbol_id in asked.get(person, ()), left[person]))
        found.setdefault(chosen, set()).add(symbol_id)
        left[chosen] -= 1
        if len(stays := found[chosen] & lingering) > left[chosen]:
            found[chosen].remove(max(stays))
    return {person: frozenset(ids) for person, ids in found.items()}
