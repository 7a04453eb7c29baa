"""What must hold whatever happens upstream: what clients saw against what the simulator says it did.

All times are epoch seconds of this machine. A *row* is what the simulator put on a stream, a *key* what a row and a
quote have in common.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from quotewire.simulator import Simulator
from tests.faults.watcher import TRADABLE, Seen, Watcher

Key = tuple[Any, ...]

DEAD_BOUND_S = 2.8
"""Symbols may count as carried for 2 s while a lost socket's replacement is being opened; then comes the next look."""
SILENT_BOUND_S = 4.5
"""How long a moving symbol may be silent on its stream before the (shortened) watchdog has taken its label away."""
FLIGHT_S = 0.4
"""What was sent so shortly before a socket was reset may be lost with it."""
MARKET_PER_SECOND, ACCOUNT_PER_SECOND = 20, 30


@dataclass(frozen=True, slots=True)
class Row:
    """One quote the simulator sent; `key` as in `KEYS`."""

    at: float
    person: str
    values: dict[str, Any]


FIELDS = ("volume", "bidPrice", "askPrice", "lastTradePrice")


def sent_rows(sim: Simulator) -> dict[int, list[Row]]:
    """What was put on any stream, by symbol, in order."""
    shift = sim.world.real_now() - sim.world.market_now()
    sent: dict[int, list[Row]] = {}
    for person, rows in sim.stats()["quotes"]["record"].items():
        for symbol_id, volume, bid, ask, last, at in rows:
            values = dict(zip(FIELDS, (volume, bid, ask, last), strict=True))
            sent.setdefault(symbol_id, []).append(Row(at + shift, person, values))
    for rows in sent.values():
        rows.sort(key=lambda row: row.at)
    return sent


def check_sequence(watcher: Watcher) -> None:
    """One epoch, and of each symbol every sequence number once, in order, none left out."""
    assert watcher.ended is None, f"the client was cut: {watcher.ended}"
    assert watcher.skipped == 0
    for symbol_id, seen in watcher.seen.items():
        assert len({each.quote["epoch"] for each in seen}) == 1
        sequences = [each.quote["sequence"] for each in seen]
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences))), f"a gap in {symbol_id}"


def check_delivery(
    watcher: Watcher,
    sent: dict[int, list[Row]],
    disturbed: tuple[float, float],
    *,
    fields: Sequence[str] = FIELDS,
    healthy: Collection[int] = (),
) -> int:
    """What came over streams is what was sent over them, in order; what is missing was lost in `disturbed`.

    Of `healthy` symbols nothing may be missing at all. Returns the number of updates compared.
    """

    def key(values: dict[str, Any]) -> Key:
        return tuple(values[name] for name in fields)

    compared = 0
    for symbol_id in watcher.ids:
        seen = [each for each in watcher.seen[symbol_id] if each.quote["source"] == "stream"]
        rows = sent[symbol_id]
        lost = _lost(_without_repeats([key(each.quote) for each in seen]), [key(row.values) for row in rows], symbol_id)
        from_s, to_s = disturbed if symbol_id not in healthy else (float("inf"), float("-inf"))
        undisturbed = [rows[index] for index in lost if not from_s - FLIGHT_S <= rows[index].at <= to_s + FLIGHT_S]
        assert not undisturbed, f"{symbol_id}: {len(undisturbed)} updates were lost outside the fault: {undisturbed[0]}"
        compared += len(seen)
    return compared


def check_handed_on(watcher: Watcher, read: dict[int, list[tuple[float, Key]]]) -> None:
    """What the gateway has read from a stream since the client came, the client was given: nothing is lost inside."""
    for symbol_id in watcher.ids:
        seen = watcher.seen[symbol_id]
        given = {tuple(each.quote[name] for name in FIELDS) for each in seen}
        lost = [key for at, key in read[symbol_id] if at > seen[0].at + FLIGHT_S and key not in given]
        assert not lost, f"{symbol_id}: {len(lost)} updates were read and not handed on: {lost[:3]}"


def _lost(got: list[Key], sent: list[Key], symbol_id: int) -> list[int]:
    """Which of `sent` were not got. Each of `got` must be found in `sent`, in order.

    A client that joins in the middle gets the newest quote first, so what was sent before that is not looked at.
    """
    position = _first(got, sent)
    lost: list[int] = []
    before: Key | None = None
    for wanted in got:
        start = position
        while position < len(sent) and sent[position] != wanted:
            if sent[position] != before:
                lost.append(position)
            position += 1
        assert position < len(sent), f"{symbol_id}: {wanted} was never sent after row {start}"
        before = wanted
        position += 1
    lost += [index for index in range(position, len(sent)) if sent[index] != before]
    return lost


def _first(got: list[Key], sent: list[Key]) -> int:
    """Where in `sent` the first of `got` is: so that the second follows, if there is one."""
    head = got[: min(len(got), 4)]
    for index, row in enumerate(sent):
        if row == head[0] and _follows(_without_repeats(sent[index : index + 12]), head):
            return index
    return sent.index(head[0])


def _follows(rows: list[Key], head: list[Key]) -> bool:
    return rows[: len(head)] == head[: len(rows)]


def _without_repeats(keys: list[Key]) -> list[Key]:
    """A change of a size, or of freshness, leaves the key as it was."""
    return [key for index, key in enumerate(keys) if index == 0 or key != keys[index - 1]]


def check_freshness(watcher: Watcher, sim: Simulator, sent: dict[int, list[Row]], until: float) -> None:
    """Nothing was shown as live (or quiet) beyond its bound: not without any stream, and not without data."""
    dark = dark_times(sim, until)
    for symbol_id in watcher.ids:
        times = [row.at for row in sent[symbol_id]]
        for start, end, seen in watcher.spans(symbol_id, until):
            if seen.freshness not in TRADABLE:
                continue
            assert seen.quote["source"] == "stream", f"{symbol_id} was {seen.freshness} by a {seen.quote['source']}"
            for gone, back in dark:
                overlap = min(end, back) - max(start, gone + DEAD_BOUND_S)
                assert overlap <= 0, f"{symbol_id} was {seen.freshness} {overlap:.1f} s too long without any stream"
            newest = bisect_right(times, end)
            age = end - times[newest - 1] if newest else float("inf")
            assert age <= SILENT_BOUND_S, f"{symbol_id} was {seen.freshness} {age:.1f} s after its last data"


def dark_times(sim: Simulator, until: float) -> list[tuple[float, float]]:
    """When nobody had an accepted quote socket, since the first one."""
    open_now: set[int] = set()
    dark: list[tuple[float, float]] = []
    since: float | None = None
    for entry in sim.stats(record=False)["streams"]["log"]:
        if entry["kind"] != "quotes":
            continue
        if entry["event"] == "authorized":
            open_now.add(entry["id"])
            if since is not None:
                dark.append((since, entry["at"]))
                since = None
        elif entry["event"] == "closed" and entry["id"] in open_now:
            open_now.discard(entry["id"])
            if not open_now:
                since = entry["at"]
    return dark if since is None else [*dark, (since, until)]


def check_tokens(sim: Simulator, most: int) -> None:
    """No refresh token was presented more often than `most`, and no person's login twice at once."""
    uses = Counter(use["token"] for use in sim.stats(record=False)["tokens"]["uses"] if use["person"] is not None)
    assert max(uses.values()) <= most, f"a refresh token was sent {max(uses.values())} times"
    at_once = {who: count for who, count in sim.stats(record=False)["tokens"]["atOnce"].items() if who}
    assert max(at_once.values()) == 1, f"logins at once: {at_once}"


def check_calls(sim: Simulator, refused: int = 0) -> None:
    """Nobody's calls were more than Questrade allows in any second; `refused`: 429s the fault itself provokes."""
    calls = sim.stats(record=False)["calls"]["recent"]
    genuine = [call for call in calls if call["status"] == 429 and call["fault"] is None]
    assert len(genuine) <= refused, f"{len(genuine)} calls were over the limit"
    for market, most in ((True, MARKET_PER_SECOND), (False, ACCOUNT_PER_SECOND)):
        by_person: dict[str, list[float]] = {}
        for call in calls:
            if call["person"] is not None and call["path"].startswith("markets") is market:
                by_person.setdefault(call["person"], []).append(call["at"])
        for person, times in by_person.items():
            busiest = max(bisect_right(times, at + 1.0) - index for index, at in enumerate(times))
            assert busiest <= most, f"{busiest} calls within a second in {person}'s name"


def gap(watcher: Watcher, symbol_id: int, start: float, end: float, fresh: Callable[[Seen], bool]) -> float:
    """The longest time within `start` to `end` in which no quote that is `fresh` came."""
    times = [start, *(each.at for each in watcher.seen[symbol_id] if start <= each.at <= end and fresh(each)), end]
    return max(later - earlier for earlier, later in pairwise(times))
