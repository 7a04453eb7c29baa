"""One quote to every client, one write for each: the share of what plain C gets, beside every peer."""

from typing import Final

from benches import rivals
from benches.loading import BenchError, Load
from benches.setting import Figures, Outcome, Row, Setting, faults, figures, line, median, spread, summary

CLIENTS: Final = 1000
TARGET: Final = 0.85
OURS: Final = "quotewire"
LIMIT: Final = "C limit"


def run(setting: Setting) -> Outcome:
    """Everybody in turn, round after round, so that the machine's moods hit all alike."""
    outcome = Outcome()
    peers, missing = rivals.available(setting)
    runs: dict[str, list[Figures]] = {}
    for _ in range(setting.rounds):
        _note(setting, outcome, runs, OURS, _ours(setting, outcome))
        for peer in peers:
            try:
                _note(setting, outcome, runs, peer.name, _theirs(setting, peer))
            except BenchError as error:
                missing[peer.name] = str(error)[-300:]
    outcome.data = {name: summary(found) for name, found in runs.items()}
    outcome.data["missing"] = missing
    outcome.rows = _rows(runs, missing)
    return outcome


def _note(setting: Setting, outcome: Outcome, runs: dict[str, list[Figures]], name: str, found: Figures) -> None:
    runs.setdefault(name, []).append(found)
    setting.say(line(name, found) + f"  {found['joins_per_s']:,.0f} handshakes/s  {found['kib_per_client']:.1f} KiB")


def _measured(setting: Setting, load: Load, rss: "rivals.HasRss", outcome: Outcome | None, full: int) -> Figures:
    clients, before = setting.clients(CLIENTS), rss.rss_kib()
    joined = load.connect("all", clients, symbols=1, pick="same", counts=1)
    after = rss.rss_kib()
    answer = load.call(
        "run", depth=1, rate=0, width=1, full=full, seconds=setting.seconds(2.5), settle=setting.settle_s / 2
    )
    if outcome is not None:
        outcome.wrong += faults(answer, "broadcast")
    return figures(answer) | {
        "joins_per_s": clients / joined["seconds"],
        "kib_per_client": (after - before) / clients,
    }


def _ours(setting: Setting, outcome: Outcome) -> Figures:
    with setting.gateway(1) as (load, gateway):
        return _measured(setting, load, gateway, outcome, 1)


def _theirs(setting: Setting, peer: rivals.Peer) -> Figures:
    with Load(setting.load_program, 1) as load, rivals.PeerServer(peer, load) as server:
        return _measured(setting, load, server, None, 1)


def _rows(runs: dict[str, list[Figures]], missing: dict[str, str]) -> list[Row]:
    limit = median(runs[LIMIT], "deliveries_per_s")
    ours = median(runs[OURS], "deliveries_per_s")
    others = {name: median(found, "deliveries_per_s") for name, found in runs.items() if name not in (OURS, LIMIT)}
    best = max(others, key=lambda name: others[name], default="")
    rows = [
        Row("broadcast, 1000 clients, one quote to all, no joining", f">= {TARGET} of the C limit",
            f"{ours / limit:.2f} of {limit:,.0f}/s", ours / limit >= TARGET),
    ]  # fmt: skip
    if best:
        rows.append(
            Row("the same, beside the peers", "ahead of every Python and node peer",
                f"{ours / others[best]:.2f} x {best}, the best of them", ours >= others[best])
        )  # fmt: skip
    for name, found in sorted(runs.items(), key=lambda item: -median(item[1], "deliveries_per_s")):
        low, high = spread(found, "deliveries_per_s")
        got = median(found, "deliveries_per_s")
        told = f"{got:,.0f}/s ({low:,.0f} to {high:,.0f}), {got / limit:.2f} of the limit"
        rows.append(Row(f"broadcast: {name}", "", told))
    rows += [Row(f"broadcast: {name}", "", "not measured", None, why) for name, why in missing.items()]
    return rows
