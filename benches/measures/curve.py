"""What a delivery costs the server with 100 to 20 000 clients, at one number of deliveries a second."""

from benches import plot, rivals
from benches.loading import HERE, Load
from benches.setting import Figures, Outcome, Row, Setting, faults, figures, line

STEPS = (100, 300, 1_000, 3_000, 10_000, 20_000)
DELIVERIES_PER_S = 50_000
FLAT = 2.0
PICTURE = HERE / "results" / "cost-per-delivery.svg"


def run(setting: Setting) -> Outcome:
    """The gateway and the C program, each with more and more clients."""
    outcome = Outcome()
    with setting.gateway(1, streams=1) as (load, _):
        ours = _climb(setting, load, outcome)
    peer = rivals.Peer("C limit", (str(setting.limit_program),))
    with setting.load(1) as load, rivals.PeerServer(peer, load):
        limit = _climb(setting, load, None)
    costs = {n: run["cpu_us_per_delivery"] for n, run in ours.items()}
    limits = {n: run["cpu_us_per_delivery"] for n, run in limit.items()}
    outcome.data = {"quotewire": ours, "C limit": limit}
    ratio = max(costs.values()) / min(costs.values())
    told = f"{min(costs.values()):.1f} to {max(costs.values()):.1f} us: {ratio:.2f}x"
    kernel = max(limits.values()) / min(limits.values())
    note = f"plain C: {min(limits.values()):.1f} to {max(limits.values()):.1f} us, {kernel:.2f}x"
    outcome.rows = [
        Row("cost per delivery, 100 to 20 000 clients", f"flat within {FLAT:g}x", told, ratio <= FLAT, note)
    ]
    if not setting.quick:
        plot.lines(
            PICTURE,
            {"quotewire": costs, "C limit": limits},
            title=f"Server time per delivery at {DELIVERIES_PER_S:,} deliveries/s",
            across="clients",
            up="microseconds",
        )
    return outcome


def _climb(setting: Setting, load: Load, outcome: Outcome | None) -> dict[int, Figures]:
    found: dict[int, Figures] = {}
    live = 0
    for step in STEPS[2:4] if setting.quick else STEPS:
        clients = setting.clients(step)
        if clients > live:
            load.connect("all", clients - live, symbols=1, pick="same", concurrency=512)
            live = clients
        answer = load.call(
            "run", rate=DELIVERIES_PER_S / clients, width=1, full=1, seconds=setting.seconds(3), settle=setting.settle_s
        )
        if outcome is not None:
            outcome.wrong += faults(answer, f"{step} clients")
        found[clients] = figures(answer)
        setting.say(line(f"{clients:,} clients", found[clients]))
    return found
