"""The example programs and the guide's code do what they say, against a running gateway."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quotewire.testing import running_gateway
from tests.integration.client_tools import PATIENCE_S

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with running_gateway() as running:
        yield running.url


async def output(program: str, *words: str) -> str:
    """Run a program until its output has these words."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=ROOT
    )
    assert started.stdout is not None
    shown = ""
    try:
        async with asyncio.timeout(3 * PATIENCE_S):
            while not all(word in shown for word in words):
                line = await started.stdout.readline()
                assert line, f"it ended after: {shown}"
                shown += line.decode()
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()
    return shown


def at(url: str, text: str) -> str:
    """A program that uses this gateway instead of the default one."""
    return text.replace("quotewire.connect()", f"quotewire.connect({url!r})").replace("http://127.0.0.1:4005", url)


@pytest.mark.parametrize(
    ("name", "words"),
    [("print_quotes.py", ("AAPL", "SHOP.TO", "live")), ("two_readers.py", ("[connected]", "AAPL: 0.", "SHOP.TO: 0."))],
)
async def test_examples(url: str, name: str, words: tuple[str, ...]) -> None:
    await output(at(url, (ROOT / "examples" / name).read_text()), *words)


def test_every_example_is_tested() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == {"print_quotes.py", "two_readers.py"}


@pytest.mark.parametrize(
    ("block", "words"),
    [(0, ("AAPL", "SHOP.TO")), (1, ("AAPL", "volume None")), (2, ("connected", "SHOP.TO")), (3, ()), (4, ())],
    ids=str,
)
async def test_every_program_of_the_guide_runs_as_it_is_printed(url: str, block: int, words: tuple[str, ...]) -> None:
    await output(at(url, BLOCKS[block]) + ("" if words else "\nprint('passed')\n"), *(words or ("passed",)))


def test_every_program_of_the_guide_is_tested() -> None:
    assert len(BLOCKS) == 5
