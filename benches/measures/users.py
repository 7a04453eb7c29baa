"""From ten users to ten thousand, each with a watch list of 20 symbols; and the market's opening (R32)."""

from benches.setting import COMPACT, Figures, Outcome, Row, Setting, faults, figures, line

STEPS = (10, 50, 100, 1_000, 10_000)
WATCHED = 20
QUOTES_PER_S = 500
BURST_USERS = 1_000
BURST_QUOTES_PER_S = 20_000
SOURCES = 4


def run(setting: Setting) -> Outcome:
    """More and more users on one gateway, then a burst of quotes on another."""
    outcome = Outcome()
    steps: dict[str, Figures] = {}
    with setting.gateway(1000) as (load, gateway):
        gateway.tell_load(sources=SOURCES)
        live = 0
        for users in STEPS[3:] if setting.quick else STEPS:
            many = setting.clients(users)
            if many > live:
                load.connect("all", many - live, symbols=WATCHED, extra=COMPACT, concurrency=512)
                live = many
            answer = load.call("run", rate=QUOTES_PER_S, seconds=setting.seconds(3), settle=setting.settle_s)
            outcome.wrong += faults(answer, f"{users} users")
            steps[f"{many:,} users"] = found = figures(answer)
            setting.say(line(f"{many:,} users", found))
            told = f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms, {found['server_core']:.2f} core,"
            told += f" {gateway.rss_kib() / 1024:.0f} MiB"
            outcome.rows.append(Row(f"{many:,} users x 20 of 1000 symbols, 500 quotes/s", "", told))
    steps["burst"] = _burst(setting, outcome)
    outcome.data = dict(steps)
    return outcome


def _burst(setting: Setting, outcome: Outcome) -> Figures:
    with setting.gateway(1000) as (load, _):
        load.connect("all", setting.clients(BURST_USERS), symbols=WATCHED, extra=COMPACT)
        answer = load.call("run", rate=BURST_QUOTES_PER_S, seconds=setting.seconds(3), settle=0)
    outcome.wrong += faults(answer, "market open")
    found = figures(answer)
    setting.say(line("market open", found))
    made = answer["made"] / answer["seconds"]
    told = f"{made:,.0f} quotes/s in, {found['deliveries_per_s']:,.0f} deliveries/s, p99 {found['p99_ms']:.1f} ms,"
    told += (
        f" {found['skipped']:,.0f} skipped and told, everybody up to date {answer['drain_s'] * 1000:.0f} ms after it"
    )
    outcome.rows.append(
        Row(
            "market open: 1000 users x 20 symbols, from nothing to 20 000 quotes/s",
            "nobody lost or out of order",
            told,
            not faults(answer, ""),
        )
    )
    return found
