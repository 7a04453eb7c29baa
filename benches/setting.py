"""What every measure needs: the programs, how long and how often, and what a row of the table is."""

import resource
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benches.gateway import Gateway
from benches.loading import HERE, Answer, Load, build

BUILD: Final = HERE / ".build"
"""Compiled programs and installed peers; never committed."""

COMPACT: Final = '"fields":["bidPrice","bidSize","askPrice","lastTradePrice","volume"]'
"""The fields of a watch list's row; with what every quote has, some 260 bytes."""

SPARE_FILES: Final = 120
"""Of a process that holds all clients: what it needs for itself."""

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of docs/performance.md's table. `met` is None where there is no target to meet."""

    measure: str
    target: str
    measured: str
    met: bool | None = None
    note: str = ""


@dataclass(slots=True)
class Outcome:
    """What a measure found: lines of the table, everything behind them, and what was not as it must be."""

    rows: list[Row] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Setting:
    """How this run measures. A quick run is for looking whether the tools work; its times mean nothing."""

    load_program: Path
    limit_program: Path
    quick: bool = False
    rounds: int = 3
    with_peers: bool = True
    say: Callable[[str], None] = print

    def seconds(self, full: float) -> float:
        """How long to measure what takes `full` seconds in a full run."""
        return min(full, 0.4) if self.quick else full

    def clients(self, full: int) -> int:
        """How many clients stand for `full`: a process may not have more open files than the system gives it."""
        return (
            max(10, full // 50)
            if self.quick
            else min(full, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_FILES)
        )

    @property
    def settle_s(self) -> float:
        """How long a load runs before it is measured."""
        return 0.2 if self.quick else 1.0

    def load(self, symbols: int) -> Load:
        """The load program, with a core to itself in a full run."""
        return Load(self.load_program, symbols, spin=not self.quick)

    @contextmanager
    def gateway(
        self, symbols: int = 1000, *, settings: dict[str, str] | None = None, streams: int = 3, keep: bool = False
    ) -> Iterator[tuple[Load, Gateway]]:
        """A gateway whose upstream carries `symbols`: one client wanted them all, and they are lingered on.

        With `keep` that client stays, for measures in which others come and go.
        """
        lingering = {"QUOTEWIRE_LINGER": "3600000", **(settings or {})}
        with self.load(symbols) as load, Gateway(load, settings=lingering, streams=streams) as gateway:
            load.connect("keeper", 1, symbols=symbols, pick="same")
            gateway.await_wanted(symbols)
            if not keep:
                load.call("close", group="keeper")
            yield load, gateway


def prepare(*, quick: bool, rounds: int, with_peers: bool = True, say: Callable[[str], None] = print) -> Setting:
    """Compile what is in C."""
    return Setting(
        build("load", sorted((HERE / "load").glob("*.c")), BUILD),
        build("limit", [HERE / "peers" / "limit.c"], BUILD),
        quick=quick,
        rounds=1 if quick else rounds,
        with_peers=with_peers,
        say=say,
    )


def figures(answer: Answer, group: str = "all") -> Figures:
    """What one run gave, in the units of the table: rates a second, latencies in milliseconds, shares of a core."""
    told = answer["groups"][group]
    latency, quotes = told["latency_us"], max(told["quotes"], 1)
    return {
        "deliveries_per_s": told["quotes"] / answer["seconds"],
        "p50_ms": latency["p50"] / 1000,
        "p99_ms": latency["p99"] / 1000,
        "p999_ms": latency["p999"] / 1000,
        "max_ms": latency["max"] / 1000,
        "server_core": answer["server_cpu"],
        "load_core": answer["own_cpu"],
        "cpu_us_per_delivery": answer["server_cpu"] * answer["seconds"] * 1e6 / quotes,
        "bytes_per_delivery": told["bytes"] / quotes,
        "frames_per_read": told["frames"] / max(told["reads"], 1),
        "skipped": float(told["skipped"]),
        "feed_late_ms": answer["max_late_us"] / 1000,
        "feed_held_s": answer["held_s"],
        "quotes_made": float(answer["made"]),
    }


def faults(answer: Answer, what: str) -> list[str]:
    """What a run's contents say is wrong: these must all be nothing."""
    found = []
    for group, told in answer["groups"].items():
        for key in ("reordered", "torn", "unknown", "behind", "unannounced", "failed"):
            if told[key]:
                found.append(f"{what}: group {group}: {key} {told[key]}")
    return found


def median(runs: list[Figures], key: str) -> float:
    """The median of a figure over rounds."""
    return statistics.median(run[key] for run in runs)


def spread(runs: list[Figures], key: str) -> tuple[float, float]:
    """The least and the most of a figure over rounds."""
    values = [run[key] for run in runs]
    return min(values), max(values)


def summary(runs: list[Figures]) -> dict[str, list[float]]:
    """Each figure as median, least and most."""
    return {key: [round(x, 4) for x in (median(runs, key), *spread(runs, key))] for key in runs[0]}


def line(name: str, run: Figures) -> str:
    """One run in words, for whoever watches."""
    return (
        f"  {name:<24} {run['deliveries_per_s']:>10,.0f}/s  p50 {run['p50_ms']:8.2f}  p99 {run['p99_ms']:8.2f} ms"
        f"  core {run['server_core']:.2f} (load {run['load_core']:.2f})  {run['cpu_us_per_delivery']:6.2f} us each"
        f"  {run['bytes_per_delivery']:4.0f} B  {run['frames_per_read']:5.1f} frames a read"
        f"  skipped {run['skipped']:.0f}  late {run['feed_late_ms']:.1f}"
    )
