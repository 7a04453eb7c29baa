"""1000 clients, each with 100 of 1000 symbols: how many deliveries one core makes, how late, and at what cost."""

from typing import Final

from benches.setting import COMPACT, Figures, Outcome, Row, Setting, faults, figures, line, median, summary

CLIENTS: Final = 1000
SYMBOLS: Final = 1000
EACH: Final = 100
STEPS: Final = (500_000, 1_000_000, 2_000_000, 3_000_000, 4_000_000)
TARGETS: Final = {500_000: (6.0, 0.8), 4_000_000: (12.0, 1.0)}
"""Deliveries a second: p99 in milliseconds, share of a core."""
UPSTREAM: Final = {"tick": 2000, "frame": 100}
"""What changed within 2 ms comes in one frame on each stream."""

REACHED: Final = 0.98
"""A step counts as carried when so much of it arrived and was not skipped."""


def run(setting: Setting, steps: tuple[int, ...] = STEPS) -> Outcome:
    """Step by step on one gateway, as often as there are rounds."""
    outcome = Outcome()
    runs: dict[str, list[Figures]] = {}
    for _ in range(min(setting.rounds, 2)):
        for form, extra in (("chosen fields", COMPACT), ("whole quotes", "")):
            _one_round(setting, outcome, runs, steps, form, extra)
    for name, found in runs.items():
        outcome.data[name] = summary(found)
    for rate, (p99_ms, core) in TARGETS.items():
        for form in ("chosen fields", "whole quotes"):
            if f"{rate} {form}" in runs:
                outcome.rows.append(_row(rate, form, runs[f"{rate} {form}"], p99_ms, core))
    for form in ("chosen fields", "whole quotes"):
        told = ", ".join(_short(rate, runs[f"{rate} {form}"]) for rate in steps if f"{rate} {form}" in runs)
        outcome.rows.append(Row(f"the same, step by step, {form}: offered, p50 / p99 ms, core", "", told))
    return outcome


def _one_round(
    setting: Setting, outcome: Outcome, runs: dict[str, list[Figures]], steps: tuple[int, ...], form: str, extra: str
) -> None:
    clients = setting.clients(CLIENTS)
    with setting.gateway(SYMBOLS) as (load, _):
        load.connect("all", clients, symbols=EACH, of=SYMBOLS, extra=extra)
        for rate in steps[-1:] if setting.quick else steps:
            quotes_per_s = rate / CLIENTS / EACH * SYMBOLS / (50 if setting.quick else 1)
            answer = load.call(
                "run", rate=quotes_per_s, seconds=setting.seconds(4), settle=setting.settle_s, **UPSTREAM
            )
            found = figures(answer)
            found["offered_per_s"] = quotes_per_s * clients * EACH / SYMBOLS
            runs.setdefault(f"{rate} {form}", []).append(found)
            outcome.wrong += faults(answer, f"{rate}/s of {form}")
            setting.say(line(f"{rate:,}/s {form}", found))


def _row(rate: int, form: str, found: list[Figures], p99_ms: float, core: float) -> Row:
    got, late, busy = median(found, "deliveries_per_s"), median(found, "p99_ms"), median(found, "server_core")
    share = got / median(found, "offered_per_s")
    met = share >= REACHED and late <= p99_ms and busy <= core + 0.005
    told = f"{got / 1e6:.2f}M/s, p50 {median(found, 'p50_ms'):.1f} ms, p99 {late:.1f} ms, {busy:.2f} core"
    return Row(
        f"1000 clients x 100 of 1000 symbols, {form} ({median(found, 'bytes_per_delivery'):.0f} bytes a delivery)",
        f"{rate / 1e6:g}M/s on one core, p99 <= {p99_ms:g} ms, <= {core:g} core",
        told,
        met,
        ""
        if share >= REACHED
        else f"{share:.0%} of what was offered: the upstream was held back at a quarter of a second",
    )


def _short(rate: int, found: list[Figures]) -> str:
    got = median(found, "deliveries_per_s")
    carried = "" if got >= REACHED * median(found, "offered_per_s") else f" (carried {got / 1e6:.2f}M)"
    late = f"{median(found, 'p50_ms'):.1f} / {median(found, 'p99_ms'):.1f}"
    return f"{rate / 1e6:g}M{carried} {late}, {median(found, 'server_core'):.2f}"
