"""What one client wants: which symbols, and each how. An immutable value, so that clients alike share one object.

A tuple of parts, one for each choice of options: the options, and the ids in order. Small: eight bytes a symbol.
"""

from collections.abc import Collection, Iterable, Iterator

from quotewire.wire.options import Options

Wants = tuple[tuple[Options, tuple[int, ...]], ...]
NOTHING: Wants = ()


def added(wants: Wants, symbol_ids: Iterable[int], options: Options) -> Wants:
    """These too, with these options; a symbol wanted already changes its options."""
    new = set(symbol_ids)
    if not new:
        return wants
    if not wants:
        return ((options, tuple(sorted(new))),)
    parts = dict(removed(wants, new))
    parts[options] = tuple(sorted(new.union(parts.get(options, ()))))
    return _ordered(parts)


def removed(wants: Wants, symbol_ids: Collection[int]) -> Wants:
    """These no more."""
    gone = symbol_ids if isinstance(symbol_ids, set | frozenset) else set(symbol_ids)
    parts = {}
    for options, ids in merged(wants):
        left = ids if gone.isdisjoint(ids) else tuple([i for i in ids if i not in gone])
        if left:
            parts[options] = left
    return _ordered(parts)


def grown(wants: Wants, symbol_ids: Iterable[int], options: Options) -> Wants:
    """These too, none of which is wanted yet: a part of its own, whatever the others are, until all are `merged`."""
    return (*wants, (options, tuple(symbol_ids)))


def merged(wants: Wants) -> Wants:
    """The same, one part for each choice of options, the ids in order."""
    if len({options for options, _ in wants}) == len(wants):
        return wants
    parts: dict[Options, list[int]] = {}
    for options, ids in wants:
        parts.setdefault(options, []).extend(ids)
    return _ordered({options: tuple(sorted(ids)) for options, ids in parts.items()})


def is_fresh(wants: Wants, symbol_ids: Collection[int]) -> bool:
    """Whether none of these is wanted yet."""
    new = set(symbol_ids)
    return all(new.isdisjoint(ids) for _, ids in wants)


def has(wants: Wants, symbol_ids: Collection[int], options: Options) -> bool:
    """Whether all of these are wanted so already."""
    asked = set(symbol_ids)
    return sum(len(asked.intersection(ids)) for chosen, ids in wants if chosen == options) == len(asked)


def split(wants: Wants, count: int) -> tuple[Wants, Wants]:
    """The first `count` symbols, and the others."""
    first: list[tuple[Options, tuple[int, ...]]] = []
    others: list[tuple[Options, tuple[int, ...]]] = []
    for options, ids in wants:
        for part, taken in ((first, ids[:count]), (others, ids[count:])):
            if taken:
                part.append((options, taken))
        count = max(count - len(ids), 0)
    return tuple(first), tuple(others)


def size(wants: Wants) -> int:
    """How many symbols it has."""
    return sum(len(ids) for _, ids in wants)


def among(wants: Wants, symbol_ids: Collection[int]) -> Wants:
    """The part of it that is about these symbols."""
    asked = symbol_ids if isinstance(symbol_ids, set | frozenset) else set(symbol_ids)
    parts = ((options, tuple(i for i in ids if i in asked)) for options, ids in wants if not asked.isdisjoint(ids))
    return tuple(parts)


def ids_of(wants: Wants) -> Iterator[int]:
    """All symbols of it."""
    for _, ids in wants:
        yield from ids


def is_paced(wants: Wants) -> bool:
    """Whether any of it has a maximum rate."""
    return any(options.max_rate for options, _ in wants)


def _ordered(parts: dict[Options, tuple[int, ...]]) -> Wants:
    # No two parts share a symbol: their first ids order them.
    return tuple(parts.items()) if len(parts) < 2 else tuple(sorted(parts.items(), key=lambda part: part[1][0]))
