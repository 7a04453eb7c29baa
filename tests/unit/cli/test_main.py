"""The command line's frame: the table, help, exit codes, and no traceback for anybody."""

import argparse
import subprocess
import sys
from types import SimpleNamespace

import pytest

from quotewire import __version__, cli
from quotewire.errors import ConfigurationError, StorageError


def command(outcome: int | BaseException) -> SimpleNamespace:
    def run(args: argparse.Namespace) -> int:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return SimpleNamespace(HELP="h", add_arguments=lambda parser: None, run=run)


@pytest.mark.parametrize(
    ("outcome", "code", "told"),
    [
        (0, 0, ""),
        (3, 3, ""),
        (StorageError("the disk is full"), 1, "quotewire watch: the disk is full\n"),
        (ConfigurationError("PORT: no"), 2, "quotewire watch: PORT: no\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_exit_codes(
    outcome: int | BaseException,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "load", lambda name: command(outcome))
    assert cli.main(["watch"]) == code
    assert capsys.readouterr() == ("", told)


def test_an_interruption_while_a_command_is_imported_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> SimpleNamespace:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load", interrupted)
    assert cli.main(["watch", "AAPL"]) == cli.INTERRUPTED


@pytest.mark.parametrize(
    ("how", "printed"),
    [("cli.load = ended", ""), ("cli.load = lambda name: SimpleNamespace(run=ended)", "in order\n")],
    ids=["while a command is imported", "while it runs"],
)
def test_sigterm_ends_the_program_without_a_traceback(how: str, printed: str) -> None:
    script = (
        "import os, signal, sys, time\n"
        "from types import SimpleNamespace\n"
        "from quotewire import cli\n"
        "def ended(given):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(20)\n"
        "    finally:\n"
        "        print('in order')\n"
        "cli.parse = lambda arguments: SimpleNamespace(command='watch')\n"
        f"{how}\n"
        "sys.exit(cli.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (cli.TERMINATED, printed, "")


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "load", lambda name: command(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["watch"])


def test_help_lists_every_command_and_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in cli.COMMANDS)
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"quotewire {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["watch"], ["watch", "--nonsense", "AAPL"]])
def test_a_wrong_command_line_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert "usage: quotewire" in capsys.readouterr().err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_there_and_says_the_same_as_the_table(name: str) -> None:
    module = cli.load(name)
    assert cli.COMMANDS[name] == module.HELP
    module.add_arguments(argparse.ArgumentParser())
    assert callable(module.run)


def test_help_loads_no_command_and_nothing_heavy() -> None:
    script = (
        "import sys, contextlib\n"
        "from quotewire import cli\n"
        "with contextlib.suppress(SystemExit): cli.main(['--help'])\n"
        "heavy = {'asyncio', 'fastapi', 'httpx', 'msgspec', 'pydantic', 'rich', 'uvicorn', 'uvloop', 'websockets'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == "[]\n"
