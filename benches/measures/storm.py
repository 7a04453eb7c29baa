"""Everybody comes back at once: upgrade, authenticate, subscribe to 100 symbols, take the snapshot."""

import statistics

from benches.setting import COMPACT, Outcome, Row, Setting

CLIENTS = 3000
SYMBOLS = 100
AT_ONCE = 512
TARGET = 3000


def run(setting: Setting) -> Outcome:
    """Connect, drop, connect again; the later times count."""
    outcome = Outcome()
    for form, extra in (("chosen fields", COMPACT), ("whole quotes", "")):
        rates: list[float] = []
        clients = setting.clients(CLIENTS)
        with setting.gateway(1000, keep=True) as (load, _):
            for round_number in range(1 + setting.rounds):
                answer = load.connect("all", clients, symbols=SYMBOLS, concurrency=AT_ONCE, extra=extra)
                joined = answer["groups"]["all"]["joining_us"]
                rate = clients / answer["seconds"]
                setting.say(
                    f"  {form}: {rate:,.0f} clients/s, core {answer['server_cpu']:.2f},"
                    f" each p50 {joined['p50'] / 1000:.0f} ms, p99 {joined['p99'] / 1000:.0f} ms"
                )
                if round_number or setting.rounds == 1:
                    rates.append(rate)
                load.call("close", group="all")
        got = statistics.median(rates)
        outcome.data[form] = rates
        told = f"{got:,.0f} clients/s ({min(rates):,.0f} to {max(rates):,.0f})"
        outcome.rows.append(
            Row(f"reconnect storm, {clients} clients x 100 symbols, {form}", f">= {TARGET:,} clients/s", told,
                got >= TARGET)
        )  # fmt: skip
    return outcome
