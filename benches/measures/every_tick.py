"""Every update to everybody, in order: what was sent against what came, by content."""

from benches.setting import COMPACT, Outcome, Row, Setting, faults, figures, line

CLIENTS = 1000
SYMBOLS = 100
QUOTES_PER_S = 5000
"""Times 100 clients a symbol: 500 000 deliveries a second."""
STALLED = 5
EVERY = f'"mode":"every",{COMPACT}'


def run(setting: Setting) -> Outcome:
    """Healthy clients that must miss nothing, and stalled ones that must be told exactly what they missed."""
    outcome = Outcome()
    clients = setting.clients(CLIENTS)
    with setting.gateway(1000) as (load, _):
        load.connect("all", clients, symbols=SYMBOLS, extra=EVERY)
        load.connect("stalled", STALLED, kind="stalled", symbols=1000, pick="same", extra=EVERY)
        answer = load.call("run", rate=QUOTES_PER_S, seconds=setting.seconds(8), settle=setting.settle_s)
        load.call("wake", group="stalled")
        woken = load.call("run", rate=QUOTES_PER_S / 50, seconds=setting.seconds(2), settle=setting.settle_s)
    told, late = answer["groups"]["all"], woken["groups"]["stalled"]
    run = figures(answer)
    setting.say(line("every tick", run))
    outcome.wrong += [fault for fault in faults(answer, "every tick") if "group stalled" not in fault]
    outcome.wrong += faults(woken, "every tick, the stalled ones read again")
    outcome.data = {"healthy": told, "woken": late, "figures": run}
    lost = told["unannounced"] + told["behind"]
    outcome.rows = [
        Row(
            "every-tick mode at 500 000 deliveries/s: sent against received",
            "no loss, no reorder, gaps only where announced",
            f"{told['total_quotes']:,} updates at {run['deliveries_per_s']:,.0f}/s: {lost} lost unannounced,"
            f" {told['reordered']} reordered, {told['torn']} torn, {told['skipped']} announced as missing",
            not lost and not told["reordered"] and not told["torn"] and not told["skipped"],
        ),
        Row(
            f"the same, {STALLED} clients that stalled and read again",
            "what they missed is announced, exactly",
            f"{late['skipped']:,} updates announced as missing in {late['gap_records']:,} gap records,"
            f" {late['unannounced']} unannounced, {late['behind']} symbols not up to date in the end",
            not late["unannounced"] and not late["behind"] and not late["reordered"],
        ),
    ]
    return outcome
