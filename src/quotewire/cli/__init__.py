"""The command line: one file a command, a table that finds them.

A command module has `HELP` (its line in `quotewire --help`, the same as here), `add_arguments(parser)` and
`run(args) -> int`, the exit code. It is imported when it is called for, so that the others cost nothing.

Exit codes: 0 done, 1 it failed (a line on standard error says why), 2 the command line or a setting is wrong,
130 interrupted, 143 told to end (SIGTERM) before there was anything to end in order.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn, Protocol, cast

from quotewire.errors import ConfigurationError, QuotewireError
from quotewire.version import VERSION

COMMANDS: dict[str, str] = {
    "serve": "run the gateway, set by environment variables (docs/settings.md)",
    "demo": "run the gateway against the built-in simulator, with the dashboard",
    "simulate": "serve a simulated Questrade: login, REST, streams, a market, and faults on request",
    "watch": "show live quotes in the terminal",
    "persons": "manage the people whose logins the gateway uses",
}
"""Every command, in the order of the help."""

FAILED, MISUSED, INTERRUPTED, TERMINATED = 1, 2, 130, 143


class CommandModule(Protocol):
    """The shape of a command's file."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Nobody is shown a traceback for what is not a defect."""
    is_program = argv is None
    if is_program:
        signal.signal(signal.SIGTERM, _end_at_once)
    try:
        return _run(sys.argv[1:] if argv is None else list(argv), is_program=is_program)
    except KeyboardInterrupt:  # while a command is still being imported, too
        return INTERRUPTED


def _run(arguments: Sequence[str], *, is_program: bool) -> int:
    args = parse(arguments)
    try:
        command = load(args.command)
        if is_program:
            signal.signal(signal.SIGTERM, _end_in_order)
        code = command.run(args)
        sys.stdout.flush()
    except QuotewireError as error:
        print(f"quotewire {args.command}: {error}", file=sys.stderr)
        return MISUSED if isinstance(error, ConfigurationError) else FAILED
    except BrokenPipeError:
        _forget_output()
        return FAILED
    return code


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; only the command that is named is imported. Exits with 0 or 2 as argparse does."""
    parser = argparse.ArgumentParser(prog="quotewire", description="One Questrade login, any number of screens.")
    parser.add_argument("--version", action="version", version=f"quotewire {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    named = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == named:
            load(name).add_arguments(command)
    return parser.parse_args(arguments)


def load(name: str) -> CommandModule:
    """Import the module of a command."""
    return cast(CommandModule, import_module(f"quotewire.cli.{name}"))


def _end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """Nothing has begun yet: modules are being imported, where an exception may be swallowed.

    Without a handler the first process of a container would not be ended by SIGTERM at all.
    """
    os._exit(TERMINATED)


def _end_in_order(number: int, frame: FrameType | None) -> NoReturn:
    """For commands without a handler of their own: a table in the terminal gives the cursor back."""
    raise SystemExit(TERMINATED)


def _forget_output() -> None:
    """The reader of our output is gone: keep the interpreter from complaining when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
