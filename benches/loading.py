"""The load program in C, built when it is needed and driven over its standard input. See `load/load.h`."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

HERE: Final = Path(__file__).resolve().parent
FLAGS: Final = ("-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE")
SERVER_CORE: Final = 0
LOAD_CORE: Final = 1

Answer = dict[str, Any]


class BenchError(Exception):
    """A measure could not be taken; the text says why."""


def build(name: str, sources: list[Path], into: Path) -> Path:
    """Compile C sources with the system's compiler; the program."""
    into.mkdir(parents=True, exist_ok=True)
    program = into / name
    newest = max(path.stat().st_mtime for source in sources for path in source.parent.glob("*.[ch]"))
    if program.exists() and program.stat().st_mtime > newest:
        return program
    # Built aside and put in place at once: another run may be using, or building, the same program.
    fresh = into / f"{name}.{os.getpid()}"
    try:
        subprocess.run(["cc", *FLAGS, "-o", str(fresh), *map(str, sources)], check=True)
    except FileNotFoundError:
        raise BenchError("there is no C compiler here: install one that answers to `cc`") from None
    return fresh.rename(program)


def pinned(core: int) -> list[str]:
    """The words that pin a command to a core, where there is more than one."""
    return ["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 else []


class Load:
    """The load program while it runs. Every call waits for its answer."""

    def __init__(self, program: Path, symbols: int = 1000, *, spin: bool = False) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the program
        self._process = subprocess.Popen(
            [*pinned(LOAD_CORE), str(program), str(symbols)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        ready = self._answer()
        self.port: int = ready["port"]
        self.files: int = ready["files"]
        self.call("server", spin=int(spin))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, verb: str, **values: object) -> Answer:
        """Send one command and wait for its answer. Raises BenchError when the program ended."""
        assert self._process.stdin is not None
        words = " ".join(f"{key}={value}" for key, value in values.items())
        try:
            self._process.stdin.write(f"{verb} {words}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BenchError(f"the load program ended: {self._told()}") from None
        return self._answer()

    def connect(self, group: str, n: int, **values: object) -> Answer:
        """Open `n` clients and wait until all are live. Raises BenchError when some did not get so far."""
        answer = self.call("connect", group=group, n=n, **values)
        told = answer["groups"][group]
        if told["live"] < n and values.get("kind", "normal") in ("normal", "idle", "stalled"):
            raise BenchError(
                f"of {n} clients of group {group}, {told['live']} got so far; closes {told['closes']},"
                f" last error {told['last_error']!r}"
            )
        return answer

    def close(self) -> None:
        """End the program."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def _answer(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the load program ended: {self._told()}")
        answer: Answer = json.loads(line)
        if "error" in answer:
            raise BenchError(str(answer["error"]))
        return answer

    def _told(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        return f"exit code {self._process.returncode}, {self._errors.read().decode(errors='replace')[-500:]!r}"
