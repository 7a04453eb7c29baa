"""The process that exchanges a token: started apart, listened to, and never trusted to say anything."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from quotewire.upstream import spawn
from quotewire.upstream.redeemer import Ending, Errand


def errand(tmp_path: Path) -> Errand:
    return Errand(data_dir=str(tmp_path), master_key=bytes(32), person="alice", login_url="http://127.0.0.1:9")


async def test_a_process_that_cannot_be_started_is_a_failure_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))

    report = await spawn.exchange(errand(tmp_path))
    assert report.ending is Ending.FAILED
    assert "cannot be started" in report.reason


async def test_a_process_that_ends_without_a_word_is_a_failure_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "MODULE", "quotewire.version")

    report = await spawn.exchange(errand(tmp_path))
    assert (report.ending, report.reason) == (Ending.FAILED, "the refreshing process ended without a report")


async def test_a_vault_without_the_person_is_reported_by_the_process_itself(tmp_path: Path) -> None:
    report = await spawn.exchange(errand(tmp_path))

    assert report.ending is Ending.FAILED
    assert "no token of alice" in report.reason


async def test_secrets_are_neither_in_the_arguments_nor_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, Any]] = []

    def posix_spawn(path: str, arguments: list[str], environment: dict[str, str], **options: Any) -> int:
        seen.append((arguments, environment))
        raise OSError("looked at")

    monkeypatch.setenv("QUOTEWIRE_VAULT_KEY", "very-secret")
    monkeypatch.setattr(os, "posix_spawn", posix_spawn)
    await spawn.exchange(errand(tmp_path))

    assert "very-secret" not in str(seen)
    assert bytes(32).hex() not in str(seen)


async def test_whoever_stops_waiting_leaves_the_process_to_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = tmp_path / "slow_child.py"
    marks.write_text(
        "import pathlib, sys, time\nsys.stdin.buffer.read()\ntime.sleep(0.5)\n"
        f"pathlib.Path({str(tmp_path / 'done')!r}).touch()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(spawn, "MODULE", "slow_child")
    waiting = asyncio.create_task(spawn.exchange(errand(tmp_path)))
    await asyncio.sleep(0.2)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    deadline = time.monotonic() + 10
    while not (tmp_path / "done").exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
