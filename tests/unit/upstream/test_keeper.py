"""The keeper's decisions, with exchanges that happen in place and a clock that stands still until moved."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quotewire.errors import AccessTokenError, StorageError, TokenSpentError
from quotewire.questrade.tokens import Declined, Grant, Granted, Outcome, Refused
from quotewire.settings import load
from quotewire.upstream.chronicle import Chronicle
from quotewire.upstream.keeper import START_SPACING_S, TURN_S, Keeper
from quotewire.upstream.redeemer import ENDINGS, Errand, Report
from quotewire.upstream.vault import Vault

SERVER = "https://api01.iq.questrade.com/"


class Bench:
    """A keeper of alice and bob, and the login server in one."""

    def __init__(self, vault: Vault, tmp_path: Path) -> None:
        self.now = 10_000.0
        self.vault = vault
        self.exchanges: list[str] = []
        self.seen: list[float] = []
        self.chronicle = Chronicle()
        self.changed: list[str] = []
        self.answer: Callable[[int], Outcome] = self.grant
        self.hold: asyncio.Event | None = None
        self.keeper = Keeper(
            load({"QUOTEWIRE_DATA_DIR": str(tmp_path), "QUOTEWIRE_PERSONS": "alice=a0,bob=b0"}),
            vault,
            chronicle=self.chronicle,
            on_change=self.changed.append,
            now=lambda: self.now,
            chance=lambda: 1.0,
            exchange=self.exchange,
        )
        self.keeper.load()

    def grant(self, number: int) -> Outcome:
        return Granted(self.now, Grant(f"access-{number}", f"refresh-{number}", SERVER, 1800))

    async def exchange(self, errand: Errand) -> Report:
        self.exchanges.append(errand.person)
        self.seen.append(errand.seen_obtained_at)
        self.vault.begin_refresh(errand.person, self.now)
        if self.hold is not None:
            await self.hold.wait()
        outcome = self.answer(len(self.exchanges))
        self.vault.fail_refresh(errand.person, outcome)
        wait = outcome.retry_after_s if isinstance(outcome, Declined) else 0.0
        return Report(ending=ENDINGS[type(outcome)], reason="told", retry_after_s=wait)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with contextlib.closing(Vault.open(tmp_path, "pass")) as vault:
        yield Bench(vault, tmp_path)


async def test_many_who_ask_at_once_share_one_exchange(bench: Bench) -> None:
    bench.hold = asyncio.Event()
    asking = [asyncio.create_task(bench.keeper.refresh("alice")) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    bench.hold.set()
    tokens = await asyncio.gather(*asking)

    assert bench.exchanges == ["alice"]
    assert {token.access_token for token in tokens} == {"access-1"}


async def test_a_working_token_is_left_alone_and_a_refresh_is_forced_once_a_minute(bench: Bench) -> None:
    await bench.keeper.refresh("alice")
    await bench.keeper.refresh("alice")
    assert len(bench.exchanges) == 1

    for _ in range(10):
        await bench.keeper.refresh("alice", force=True)
    assert len(bench.exchanges) == 2

    bench.now += 61
    await bench.keeper.refresh("alice", force=True)
    assert len(bench.exchanges) == 3


async def test_those_who_ask_for_several_persons_at_once_are_spaced_too(bench: Bench) -> None:
    """As at the start, when every stream asks for its token."""
    bench.hold = asyncio.Event()
    asking = [asyncio.create_task(bench.keeper.renew(person, "")) for person in ("alice", "bob")]
    await asyncio.sleep(2.5 * TURN_S)
    assert bench.exchanges == ["alice"]

    bench.now += START_SPACING_S
    await asyncio.sleep(2.5 * TURN_S)
    assert bench.exchanges == ["alice", "bob"], "one that is slow does not keep the others waiting for ever"
    bench.hold.set()
    assert [token.access_token for token in await asyncio.gather(*asking)] == ["access-2", "access-2"]


async def test_who_waited_for_a_turn_does_not_refresh_what_was_refreshed_meanwhile(bench: Bench) -> None:
    bench.hold = asyncio.Event()
    alice = asyncio.create_task(bench.keeper.renew("alice", ""))
    await asyncio.sleep(TURN_S)
    bobs = [asyncio.create_task(bench.keeper.renew("bob", "")) for _ in range(5)]
    await asyncio.sleep(TURN_S)
    bench.hold.set()
    await asyncio.gather(alice, *bobs)

    assert bench.exchanges == ["alice", "bob"]


async def test_a_refused_token_that_was_replaced_meanwhile_costs_nothing(bench: Bench) -> None:
    await bench.keeper.refresh("alice")
    bench.now += 60

    token = await bench.keeper.renew("alice", "an older one")
    assert (token.access_token, len(bench.exchanges)) == ("access-1", 1)


def by_hand(bench: Bench, person: str) -> None:
    """As `quotewire persons refresh` does, in a process of its own."""
    bench.vault.begin_refresh(person, bench.now)
    bench.vault.fail_refresh(person, Granted(bench.now, Grant("access-hand", "refresh-hand", SERVER, 1800)))


async def test_a_token_refreshed_by_hand_is_taken_up_when_the_old_one_is_refused_and_told_once(bench: Bench) -> None:
    await bench.keeper.refresh("alice")
    bench.now += 60
    by_hand(bench, "alice")

    token = await bench.keeper.renew("alice", "access-1")
    assert (token.access_token, len(bench.exchanges)) == ("access-hand", 1)
    told = [entry for entry in bench.chronicle.last() if "another program" in entry["detail"]]
    assert [(entry["event"], entry["reason"]) for entry in told] == [("token", "requested")]
    bench.keeper._look()
    assert len([entry for entry in bench.chronicle.last() if "another program" in entry["detail"]]) == 1


async def test_an_exchange_names_the_pair_it_was_decided_on(bench: Bench) -> None:
    await bench.keeper.refresh("alice")
    before = bench.now
    bench.now += 61

    async def leave(person: str) -> None:
        by_hand(bench, "alice")
        bench.keeper._look()

    bench.keeper._before_refresh = leave
    await bench.keeper.refresh("alice", force=True)
    assert bench.seen == [0.0, before], "so that it finds the newer one and leaves it alone"


async def test_tokens_refused_young_are_replaced_ever_more_seldom(bench: Bench) -> None:
    waits = []
    await bench.keeper.refresh("alice")
    for number in range(1, 6):
        obtained = bench.now
        bench.now += 1
        with pytest.raises(AccessTokenError, match="next refresh"):
            await bench.keeper.renew("alice", f"access-{number}")
        assert bench.keeper.access("alice") is None, "a refused token is used no more"
        assert "refused alice's access token" in bench.keeper.last_error("alice"), "and the operator is told"
        while len(bench.exchanges) == number:
            bench.now += 1
            with contextlib.suppress(AccessTokenError):
                await bench.keeper.renew("alice", f"access-{number}")
        waits.append(bench.now - obtained)
        bench.keeper._logins["alice"].refused = None

    assert waits == sorted(waits)
    assert waits[0] == 10


async def test_after_a_failure_nobody_can_hurry_the_next_try(bench: Bench) -> None:
    bench.answer = lambda number: Declined("503")
    for _ in range(10):
        with pytest.raises(AccessTokenError):
            await bench.keeper.refresh("alice", force=True)

    assert len(bench.exchanges) == 1


async def test_a_login_that_never_worked_is_not_told_as_an_old_token_refused(bench: Bench) -> None:
    bench.answer = lambda number: Declined("the login server cannot be reached")
    with pytest.raises(AccessTokenError):
        await bench.keeper.refresh("alice")

    with pytest.raises(AccessTokenError, match=r"still to be had .*cannot be reached.*next refresh") as failed:
        await bench.keeper.renew("alice", "")
    assert "refused" not in str(failed.value)


async def test_a_refused_refresh_token_is_final_until_a_new_one_is_stored(bench: Bench) -> None:
    bench.answer = lambda number: Refused("Bad Request")
    with pytest.raises(TokenSpentError, match="quotewire persons add alice"):
        await bench.keeper.refresh("alice")
    with pytest.raises(TokenSpentError):
        await bench.keeper.refresh("alice", force=True)
    assert len(bench.exchanges) == 1

    bench.answer = bench.grant
    bench.vault.add("alice", "by hand")
    assert (await bench.keeper.refresh("alice")).access_token == "access-2"


async def test_the_schedule_starts_one_at_a_time_and_refreshes_before_the_end(bench: Bench) -> None:
    bench.hold = asyncio.Event()
    assert bench.keeper._start_due() > 0
    await asyncio.sleep(0)
    assert bench.exchanges == ["alice"]
    bench.now += 3.1  # the login server is slow: the next one starts all the same
    bench.keeper._start_due()
    await asyncio.sleep(0)
    assert bench.exchanges == ["alice", "bob"]
    bench.hold.set()
    await bench.keeper.settled("alice")
    await bench.keeper.settled("bob")

    assert bench.keeper._start_due() > 1500
    bench.now += 1530
    bench.keeper._start_due()
    await bench.keeper.settled("alice")
    assert len(bench.exchanges) >= 3


async def test_rate_limits_slow_the_next_person_down_step_by_step(bench: Bench) -> None:
    bench.answer = lambda number: Declined("429", 1.0)
    for number in range(1, 8):
        bench.now += 1000
        with contextlib.suppress(AccessTokenError):
            await bench.keeper.refresh("alice" if number % 2 else "bob")
        assert bench.keeper._not_before - bench.now == min(2.0 * number, 10.0)
    bench.answer = bench.grant
    bench.now += 1000
    await bench.keeper.refresh("alice")
    assert bench.keeper._ladder == 0


async def test_no_token_is_used_with_a_host_that_is_not_allowed(bench: Bench) -> None:
    bench.answer = lambda number: Granted(bench.now, Grant("a", "r", "https://api01.example.com/", 1800))
    with pytest.raises(AccessTokenError):
        await bench.keeper.refresh("alice")

    assert bench.keeper.access("alice") is None
    assert "QUOTEWIRE_API_HOSTS" in bench.keeper.last_error("alice")


async def test_persons_come_and_go_while_it_runs(bench: Bench) -> None:
    bench.changed.clear()
    bench.vault.add("carol", "c0")
    bench.vault.remove("bob")
    bench.keeper._read()

    assert bench.keeper.persons == ["alice", "carol"]
    assert set(bench.changed) == {"bob", "carol"}
    with pytest.raises(AccessTokenError, match="no person bob"):
        await bench.keeper.refresh("bob")


async def test_who_may_stream_is_the_vaults_word_first(bench: Bench, tmp_path: Path) -> None:
    bench.keeper._settings = load({"QUOTEWIRE_DATA_DIR": str(tmp_path), "QUOTEWIRE_NO_STREAM": "alice"})
    assert [bench.keeper.may_stream(person) for person in ("alice", "bob")] == [False, True]

    bench.changed.clear()
    bench.vault.set_streaming("alice", True)
    bench.vault.set_streaming("bob", False)
    bench.keeper._read()
    assert [bench.keeper.may_stream(person) for person in ("alice", "bob")] == [True, False]
    assert sorted(bench.changed) == ["alice", "bob"]

    bench.vault.set_streaming("alice", None)
    bench.keeper._read()
    assert not bench.keeper.may_stream("alice")


async def test_a_name_without_a_login_in_no_stream_is_told(bench: Bench, tmp_path: Path) -> None:
    bench.keeper._settings = load({"QUOTEWIRE_DATA_DIR": str(tmp_path), "QUOTEWIRE_NO_STREAM": "alicia"})
    bench.keeper.load()

    assert "alicia" in bench.keeper._chronicle.last()[0]["detail"]


async def test_a_vault_that_cannot_be_read_for_a_moment_ends_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> list[str]:
        raise StorageError("the disk is busy")

    monkeypatch.setattr("quotewire.upstream.keeper.LOOK_S", 0.01)
    with monkeypatch.context() as broken:
        broken.setattr(bench.vault, "persons", unreadable)
        running = asyncio.create_task(bench.keeper.run())
        await asyncio.sleep(0.05)
        assert not running.done()
    bench.vault.add("carol", "c0")
    async with asyncio.timeout(5):
        while "carol" not in bench.exchanges:
            await asyncio.sleep(0.01)
            bench.now += 1.0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_no_exchange_begins_once_the_keeper_has_ended(bench: Bench) -> None:
    bench.now = 0.0  # nothing is due
    running = asyncio.create_task(bench.keeper.run())
    await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    before = list(bench.exchanges)

    with pytest.raises(AccessTokenError, match="about to end"):
        await bench.keeper.refresh("alice", force=True)
    assert bench.exchanges == before
