"""A calm market: 1000 clients, 20 quotes a second, each to all. What the gateway adds, beside plain C."""

from benches import rivals
from benches.loading import Load
from benches.setting import Figures, Outcome, Row, Setting, faults, figures, line, median, summary

CLIENTS = 1000
QUOTES_PER_S = 20
TARGET = 1.3


def run(setting: Setting) -> Outcome:
    """The gateway and the C program in turn."""
    outcome = Outcome()
    ours: list[Figures] = []
    limit: list[Figures] = []
    for _ in range(setting.rounds):
        with setting.gateway(1) as (load, _):
            ours.append(_measured(setting, load, outcome))
        setting.say(line("quotewire", ours[-1]))
        peer = rivals.Peer("C limit", (str(setting.limit_program),))
        with setting.load(1) as load, rivals.PeerServer(peer, load):
            limit.append(_measured(setting, load, None))
        setting.say(line("C limit", limit[-1]))
    outcome.data = {"quotewire": summary(ours), "C limit": summary(limit)}
    for key, name in (("p50_ms", "p50"), ("p99_ms", "p99")):
        mine, theirs = median(ours, key), median(limit, key)
        ratio = mine / theirs if theirs else 0.0
        told = f"{mine:.2f} ms beside {theirs:.2f} ms: {ratio:.2f}x"
        outcome.rows.append(
            Row(
                f"calm (1000 clients, 20 quotes/s), {name}", f"within {TARGET}x of the C program", told, ratio <= TARGET
            )
        )
    return outcome


def _measured(setting: Setting, load: Load, outcome: Outcome | None) -> Figures:
    load.connect("all", setting.clients(CLIENTS), symbols=1, pick="same")
    answer = load.call("run", rate=QUOTES_PER_S, width=1, full=1, seconds=setting.seconds(5), settle=setting.settle_s)
    if outcome is not None:
        outcome.wrong += faults(answer, "calm")
    return figures(answer)
