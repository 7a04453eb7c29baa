"""What every process does with itself."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quotewire import process
from quotewire.errors import ConfigurationError, StorageError


@pytest.fixture
def collector() -> Iterator[None]:
    """The collector as it was, afterwards."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_a_data_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with (
        process.sole_owner(tmp_path),
        pytest.raises(ConfigurationError, match="another gateway uses"),
        process.sole_owner(tmp_path),
    ):
        pass
    with process.sole_owner(tmp_path):
        pass


def test_one_that_is_not_there_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with process.sole_owner(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_one_that_cannot_be_is_said_with_its_setting() -> None:
    with pytest.raises(StorageError, match="QUOTEWIRE_DATA_DIR"), process.sole_owner(Path("/proc/nowhere")):
        pass


def test_the_loop_is_uvloop_and_the_collector_is_in_no_hurry(collector: None) -> None:
    seen: list[str] = []

    async def main() -> None:
        seen.append(type(asyncio.get_running_loop()).__module__)

    process.run(main())
    assert seen == ["uvloop"]
    assert gc.get_threshold()[0] == 50_000


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("quotewire.workers.parent", ["quotewire.upstream", "quotewire.hub", "fastapi", "uvicorn", "httpx"]),
        ("quotewire.workers.owner", ["quotewire.hub", "quotewire.edge.gate", "fastapi", "uvicorn"]),
    ],
)
def test_parent_and_owner_bring_in_no_more_than_they_need(module: str, without: list[str]) -> None:
    script = f"import sys, {module}\nprint([name for name in {without} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
