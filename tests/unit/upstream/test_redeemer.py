"""One exchange, step by step: what is sent, what is not, and what the vault knows afterwards."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from quotewire.errors import StorageError
from quotewire.questrade.tokens import (
    Declined,
    Event,
    Grant,
    Granted,
    Lost,
    Outcome,
    Refused,
    Token,
    TokenState,
    Unsent,
)
from quotewire.testing import virtual
from quotewire.upstream import redeemer
from quotewire.upstream.redeemer import Ending, Errand, Means, Report
from quotewire.upstream.vault import Vault

GRANT = Granted(100.0, Grant("access-2", "refresh-2", "https://api01.iq.questrade.com/", 1800))


class Bench:
    """A vault that holds alice's token, and a login server that does as told."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.outcome: Outcome = GRANT
        self.is_well = True
        self.sent: list[str] = []
        self.probes = 0
        self.states: list[TokenState] = []
        vault.add("alice", "refresh-1")

    async def redeem(self, login_url: str, refresh_token: str, *, answer_s: float) -> Outcome:
        self.sent.append(refresh_token)
        self.states.append(self.token.state)
        return self.outcome

    async def probe(self, login_url: str, *, answer_s: float) -> bool:
        self.probes += 1
        return self.is_well

    @property
    def token(self) -> Token:
        token = self.vault.get("alice")
        assert token is not None
        return token

    def exchange(self, **errand: float) -> Report:
        means = Means(redeem=self.redeem, probe=self.probe, wall=lambda: 90.0)
        told = Errand(
            data_dir=str(self.vault.data_dir), master_key=self.vault.master_key, person="alice", login_url="", **errand
        )
        return virtual.run(redeemer.exchange(self.vault, told, means))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with contextlib.closing(Vault.open(tmp_path, "pass")) as vault:
        yield Bench(vault)


def test_it_is_written_down_before_it_is_sent_and_the_new_pair_is_kept(bench: Bench) -> None:
    assert bench.exchange().ending is Ending.GRANTED

    assert bench.states == [TokenState.REFRESHING]
    assert (bench.token.state, bench.token.refresh_token) == (TokenState.FRESH, "refresh-2")
    assert bench.probes == 0, "a token that never failed needs no probe"


def test_a_pair_that_somebody_else_fetched_meanwhile_ends_the_errand(bench: Bench) -> None:
    bench.exchange()

    assert bench.exchange(seen_obtained_at=0.0).ending is Ending.ALREADY
    assert bench.sent == ["refresh-1"]


def test_a_refused_token_is_dead_and_the_report_names_the_cure(bench: Bench) -> None:
    bench.outcome = Refused("Bad Request")
    report = bench.exchange()

    assert report.ending is Ending.REFUSED
    assert "quotewire persons add alice" in report.reason
    assert bench.exchange().ending is Ending.DEAD
    assert bench.sent == ["refresh-1"]


def test_a_lost_answer_is_followed_by_one_more_send_and_no_third(bench: Bench) -> None:
    bench.outcome = Lost("reset")
    assert [bench.exchange().ending for _ in range(3)] == [Ending.LOST, Ending.LOST, Ending.DEAD]

    assert bench.sent == ["refresh-1", "refresh-1"]
    assert bench.token.state is TokenState.SPENT_UNKNOWN


def test_a_token_that_failed_is_not_risked_on_a_server_that_is_not_well(bench: Bench) -> None:
    bench.outcome = Declined("503", 7.0)
    assert bench.exchange() == Report(ending=Ending.DECLINED, reason=bench.token.last_error, retry_after_s=7.0)
    bench.is_well = False
    assert bench.exchange().ending is Ending.WAITING
    assert len(bench.sent) == 1

    bench.is_well, bench.outcome = True, GRANT
    assert bench.exchange().ending is Ending.GRANTED


def test_a_token_that_never_left_is_as_good_as_before(bench: Bench) -> None:
    bench.outcome = Unsent("no route")

    assert bench.exchange().ending is Ending.UNSENT
    assert bench.token.can_be_sent
    assert bench.token.doubtful_sends == 0


def test_a_predecessor_that_died_at_it_counts_as_a_lost_answer(bench: Bench) -> None:
    bench.vault.begin_refresh("alice", 50.0)

    assert bench.exchange().ending is Ending.GRANTED
    assert bench.probes == 1


def test_a_new_pair_is_kept_trying_to_be_stored_while_the_disk_is_full(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, full = bench.vault._step, [3]

    def perhaps(person: str, event: Event) -> Token:
        if isinstance(event, Granted) and full[0]:
            full[0] -= 1
            raise StorageError("the disk is full")
        return step(person, event)

    monkeypatch.setattr(bench.vault, "_step", perhaps)
    assert bench.exchange().ending is Ending.GRANTED
    assert bench.token.refresh_token == "refresh-2"
