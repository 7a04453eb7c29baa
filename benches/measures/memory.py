"""Resident memory for each client, and whether it comes back when clients do."""

import time

from benches.setting import COMPACT, Outcome, Row, Setting

IDLE = 4000
WATCHING = 2000
SYMBOLS = 100
WARM = 20
IDLE_TARGET_KIB = 6.0
WATCHING_TARGET_KIB = 14.0
CYCLES = 8
CYCLE_CLIENTS = 1000
GROWTH_KIB = 0.25
"""For each client come and gone: more than this would be a leak. A day has some 100 000 of them."""


def run(setting: Setting) -> Outcome:
    """One gateway: idle clients, watching clients, then clients that come and go."""
    outcome = Outcome()
    with setting.gateway(1000, keep=True) as (load, gateway):
        pause = 0.2 if setting.quick else 1.5

        def rss() -> int:
            time.sleep(pause)
            return gateway.rss_kib()

        load.connect("warm", setting.clients(WARM), symbols=SYMBOLS)
        empty = rss()
        idle = setting.clients(IDLE)
        load.connect("idle", idle, kind="idle")
        with_idle = rss()
        watching = setting.clients(WATCHING)
        load.connect("watching", watching, symbols=SYMBOLS, extra=COMPACT)
        with_watching = rss()
        load.call("run", rate=2000, seconds=setting.seconds(2), settle=0)
        after_load = rss()
        outcome.data = {
            "idle_kib": (with_idle - empty) / idle,
            "watching_kib": (with_watching - with_idle) / watching,
            "watching_after_load_kib": (after_load - with_idle) / watching,
            "empty_rss_mib": empty / 1024,
        }
        load.call("close", group="watching")
        cycles = setting.clients(CYCLE_CLIENTS)
        seen = []
        for _ in range(2 if setting.quick else CYCLES):
            load.connect("cycle", cycles, symbols=SYMBOLS)
            load.call("close", group="cycle")
            seen.append(rss())
    outcome.data["cycles_rss_kib"] = seen
    outcome.rows = _rows(outcome.data, (seen[-1] - seen[len(seen) // 2]) / cycles / max(len(seen) // 2, 1))
    return outcome


def _rows(data: dict[str, float], growth: float) -> list[Row]:
    idle, watching = data["idle_kib"], data["watching_kib"]
    loaded = data["watching_after_load_kib"]
    return [
        Row("memory for each idle authenticated client", f"<= {IDLE_TARGET_KIB:g} KiB", f"{idle:.1f} KiB",
            idle <= IDLE_TARGET_KIB),
        Row("memory for each client with 100 symbols", f"<= {WATCHING_TARGET_KIB:g} KiB",
            f"{watching:.1f} KiB when subscribed, {loaded:.1f} KiB after load",
            max(watching, loaded) <= WATCHING_TARGET_KIB),
        Row("memory that stays behind for each client come and gone", f"<= {GROWTH_KIB} KiB",
            f"{growth:.2f} KiB over the last half of {CYCLES} x {CYCLE_CLIENTS} clients", growth <= GROWTH_KIB),
    ]  # fmt: skip
