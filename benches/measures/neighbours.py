"""999 healthy clients, and beside them one that stalls, or several that mean harm: is the healthy p99 unchanged?"""

from dataclasses import dataclass
from typing import Final

from benches.loading import Load
from benches.setting import COMPACT, Figures, Outcome, Row, Setting, faults, figures, line, median, summary

HEALTHY: Final = 999
SYMBOLS: Final = 100
QUOTES_PER_S: Final = 500
"""Times 100 clients a symbol: 50 000 deliveries a second."""
TARGET: Final = 1.1
PRODUCT: Final = {"WS_SYMBOL_RATE_PER_IP": "10000"}
"""A limit that other benches lift, as the product has it: those who mean harm come from an address of their own."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Who is beside the healthy ones."""

    name: str
    kind: str
    count: int
    symbols: int = 0


STALLED: Final = Neighbour("one stalled client", "stalled", 1, 1000)
HOSTILE: Final = (
    Neighbour("200 slow-loris sockets", "loris", 200),
    Neighbour("20 clients that never read", "stalled", 20, 1000),
    Neighbour("10 flooding clients (10 000 pings/s each)", "flood", 10),
    Neighbour("5 subscribe bombs (5000 symbols, 10/s each)", "subscriber_bomb", 5),
    Neighbour("20 compression bombs (10/s each)", "compression_bomb", 20),
)


def stalled(setting: Setting) -> Outcome:
    """One stalled client, several rounds."""
    return _run(setting, (STALLED,), setting.rounds)


def hostile(setting: Setting) -> Outcome:
    """Each kind of hostile client."""
    return _run(setting, HOSTILE, min(setting.rounds, 2))


def _run(setting: Setting, neighbours: tuple[Neighbour, ...], rounds: int) -> Outcome:
    outcome = Outcome()
    alone: dict[str, list[Figures]] = {}
    beside: dict[str, list[Figures]] = {}
    with setting.gateway(1000, settings=PRODUCT) as (load, _):
        load.connect("all", setting.clients(HEALTHY), symbols=SYMBOLS, extra=COMPACT)
        for _ in range(rounds):
            for who in neighbours:
                alone.setdefault(who.name, []).append(_measured(setting, load, outcome, "alone"))
                load.connect(
                    who.kind, who.count, kind=who.kind, symbols=who.symbols, pick="same", concurrency=who.count
                )
                beside.setdefault(who.name, []).append(_measured(setting, load, outcome, who.name))
                closes = load.call("status")["groups"][who.kind]["closes"]
                load.call("close", group=who.kind)
                if closes:
                    setting.say(f"    they were closed: {closes}")
                    outcome.data.setdefault("closes", {})[who.name] = closes
    for who in neighbours:
        outcome.rows.append(_row(who, alone[who.name], beside[who.name]))
        outcome.data[who.name] = {"alone": summary(alone[who.name]), "beside": summary(beside[who.name])}
    return outcome


def _measured(setting: Setting, load: Load, outcome: Outcome, what: str) -> Figures:
    answer = load.call("run", rate=QUOTES_PER_S, seconds=setting.seconds(3), settle=setting.settle_s / 2)
    found = [fault for fault in faults(answer, what) if "group all" in fault]
    outcome.wrong += found
    if answer["groups"]["all"]["lost"]:
        outcome.wrong.append(f"{what}: {answer['groups']['all']['lost']} healthy clients were lost")
    run = figures(answer)
    setting.say(line(what, run))
    return run


def _row(who: Neighbour, alone: list[Figures], beside: list[Figures]) -> Row:
    before, after = median(alone, "p99_ms"), median(beside, "p99_ms")
    ratio = after / before if before else 0.0
    told = f"p99 {after:.2f} ms beside it, {before:.2f} ms without: {ratio:.2f}x"
    return Row(f"999 healthy clients, and {who.name}", f"p99 within {TARGET}x", told, ratio <= TARGET)
