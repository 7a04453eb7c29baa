import contextlib
from pathlib import Path

from quotewire.market.symbol import MinTick, Symbol
from quotewire.upstream.directory import DATABASE, Directory

AAPL = Symbol(symbol="AAPL", symbol_id=8049, listing_exchange="NASDAQ", min_ticks=(MinTick(0, 0.01),))


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_symbols_are_found_by_id_and_by_name_in_any_case_after_a_restart(tmp_path: Path) -> None:
    with contextlib.closing(Directory.open(tmp_path)) as directory:
        directory.learn([AAPL])
    with contextlib.closing(Directory.open(tmp_path)) as directory:
        assert directory.find("aapl") == directory.find(8049) == AAPL
        assert directory.find("MSFT") is None
        assert len(directory) == 1


def test_an_answer_of_yesterday_counts_only_when_there_is_no_better(tmp_path: Path) -> None:
    clock = Clock()
    with contextlib.closing(Directory.open(tmp_path, clock)) as directory:
        directory.learn([AAPL])
        clock.at += 86_400.0

        assert directory.find("AAPL") is None
        assert directory.find("AAPL", stale=True) == AAPL


def test_a_renamed_symbol_gives_its_old_name_up(tmp_path: Path) -> None:
    with contextlib.closing(Directory.open(tmp_path)) as directory:
        directory.learn([AAPL])
        directory.learn([Symbol(symbol="APL", symbol_id=8049)])

        assert directory.find("AAPL") is None
        assert directory.find("APL") is not None


def test_unknown_names_are_remembered_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    with contextlib.closing(Directory.open(tmp_path, clock)) as directory:
        directory.learn_unknown("nope")
        assert directory.is_unknown("NOPE")
        clock.at += 301
        assert not directory.is_unknown("NOPE")
        directory.learn_unknown("AAPL")
        directory.learn([AAPL])
        assert not directory.is_unknown("AAPL")


def test_a_file_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database" * 1000)
    with contextlib.closing(Directory.open(tmp_path)) as directory:
        directory.learn([AAPL])
        assert directory.find(8049) == AAPL


def test_a_cache_that_cannot_be_written_serves_from_memory(tmp_path: Path) -> None:
    directory = Directory.open(tmp_path)
    directory.close()
    directory.learn([AAPL])

    assert directory.find(8049) == AAPL
