"""The shape of Lightstreamer's published test: 40 keys, 100 messages a second in, each client one key."""

from benches.loading import BenchError, Load
from benches.setting import Figures, Outcome, Row, Setting, faults, figures, line

KEYS = 40
MESSAGES_PER_S = 100
CLIENTS = (5_000, 10_000, 20_000, 40_000, 80_000)
ASKED = 20_000
TARGET_MS = 67.0
FASTER = (200, 400, 800, 1600)
SOURCES = 8
"""Addresses the clients come from: one has no more than some 28 000 ports."""


def run(setting: Setting) -> Outcome:
    """More clients until it breaks, then, with 20 000, more messages until it breaks."""
    outcome = Outcome()
    found: dict[str, Figures] = {}
    broke, asked = "", None
    with setting.gateway(KEYS, streams=1) as (load, gateway):
        gateway.tell_load(sources=SOURCES)
        live = 0
        for clients in CLIENTS:
            many = setting.clients(clients)
            try:
                load.connect("all", many - live, symbols=1, pick="key", of=KEYS, concurrency=512, timeout=40)
            except BenchError as error:
                broke = f"{many:,} clients: {error}"
                break
            live = many
            run = _step(setting, outcome, found, load, live, MESSAGES_PER_S)
            if clients != ASKED:
                continue
            asked = run
            for rate in FASTER:
                if _step(setting, outcome, found, load, live, rate)["p99_ms"] > TARGET_MS:
                    break
            if live < ASKED:
                broke = f"{live:,} clients: one process may have no more files open on this machine"
                break
    outcome.data = {"steps": found, "broke": broke}
    outcome.rows = _rows(found, asked, broke)
    return outcome


def _step(
    setting: Setting, outcome: Outcome, found: dict[str, Figures], load: Load, clients: int, rate: int
) -> Figures:
    answer = load.call("run", rate=rate, width=KEYS, seconds=setting.seconds(3), settle=setting.settle_s)
    run = figures(answer)
    outcome.wrong += faults(answer, f"keyed, {clients} clients, {rate}/s")
    found[f"{clients:,} clients, {rate} messages/s"] = run
    setting.say(line(f"{clients:,} at {rate}/s", run))
    return run


def _rows(found: dict[str, Figures], asked: Figures | None, broke: str) -> list[Row]:
    rows = []
    target = f"{ASKED:,} clients, p99 <= {TARGET_MS:g} ms"
    if asked is None:
        rows.append(Row("keyed (40 keys, 100 messages/s in, one key a client)", target, broke, False))
    for name, run in found.items():
        told = f"{run['deliveries_per_s']:,.0f}/s, p50 {run['p50_ms']:.1f} ms, p99 {run['p99_ms']:.1f} ms,"
        told += f" {run['server_core']:.2f} core"
        met = run["p99_ms"] <= TARGET_MS if run is asked else None
        rows.append(Row(f"keyed: {name}", target if run is asked else "", told, met, _breaks(run)))
    if broke and asked is not None:
        rows.append(Row("keyed: where it ends", "", broke))
    return rows


def _breaks(run: Figures) -> str:
    return "broken here: p99 is over the target" if run["p99_ms"] > TARGET_MS else ""
