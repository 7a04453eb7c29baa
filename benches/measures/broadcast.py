"""One quote to every client, one write for each: the share of what plain C gets, beside every peer."""

from typing import Final

from benches import rivals
from benches.loading import BenchError, Load
from benches.setting import Figures, Outcome, Row, Setting, faults, figures, line, median, spread, summary

CLIENTS: Final = 1000
TARGET: Final = 0.85
NEVER_GATHER: Final = {"QUOTEWIRE_FLUSH_WINDOW_MS": "0"}
"""No joining: the gateway would gather quotes for some milliseconds under such a load, and write fewer times."""

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
    with setting.gateway(1, settings=NEVER_GATHER) as (load, gateway):
        return _measured(setting, load, gateway, outcome, 1)


def _theirs(setting: Setting, peer: rivals.Peer) -> Figures:
    with setting.load(1) as load, rivals.PeerServer(peer, load) as server:
        return _measured(setting, load, server, None, 1)


def _per_core_second(found: list[Figures]) -> float:
    # The kernel counts in hundredths of a second: a quick run may have taken none.
    return 1e6 / max(median(found, "cpu_us_per_delivery"), 0.01)


def _rows(runs: dict[str, list[Figures]], missing: dict[str, str]) -> list[Row]:
    limit, limit_core = median(runs[LIMIT], "deliveries_per_s"), _per_core_second(runs[LIMIT])
    ours, ours_core = median(runs[OURS], "deliveries_per_s"), _per_core_second(runs[OURS])
    share, share_core = ours / limit, ours_core / limit_core
    told = f"{share:.2f} of {limit:,.0f}/s; {share_core:.2f} for each busy second of the server's core"
    rows = [
        Row(
            "broadcast, 1000 clients, one quote to all, no joining",
            f">= {TARGET} of the C limit",
            told,
            share >= TARGET,
        )
    ]
    others = {name: median(found, "deliveries_per_s") for name, found in runs.items() if name not in (OURS, LIMIT)}
    if others:
        best = max(others, key=others.__getitem__)
        told = f"{ours / others[best]:.2f} x {best}, the best of them"
        rows.append(
            Row("the same, beside the peers", "ahead of every Python and node peer", told, ours >= others[best])
        )
    for name, found in sorted(runs.items(), key=lambda item: -median(item[1], "deliveries_per_s")):
        rows.append(_each(name, found, limit, limit_core))
    rows += [Row(f"broadcast: {name}", "", "not measured", None, why) for name, why in missing.items()]
    return rows


def _each(name: str, found: list[Figures], limit: float, limit_core: float) -> Row:
    (low, high), got = spread(found, "deliveries_per_s"), median(found, "deliveries_per_s")
    told = (
        f"{got:,.0f}/s ({low:,.0f} to {high:,.0f}), {got / limit:.2f} of the limit,"
        f" {_per_core_second(found) / limit_core:.2f} by core time;"
        f" {median(found, 'kib_per_client'):.1f} KiB and {1e3 / median(found, 'joins_per_s'):.2f} ms for each client"
    )
    return Row(f"broadcast: {name}", "", told)
