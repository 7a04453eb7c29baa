"""`quotewire serve` as it is, on a core of its own, fed by the load program in Questrade's place."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from benches.loading import SERVER_CORE, BenchError, Load, pinned

START_S: Final = 60.0
OPEN_LIMITS: Final = {
    "MAX_CONNECTIONS_PER_IP": "1000000",  # the default is 5: every client of a bench comes from this machine
    "WS_SYMBOL_RATE_PER_IP": "1000000",  # 10000: thousands come at once with 100 symbols each
}
"""What a bench lifts of the product's defaults, and says so in docs/performance.md."""


class Server:
    """A server process: its port, its processes, their memory."""

    def __init__(self, command: list[str], environ: dict[str, str], log: Path) -> None:
        self.log = log
        self.port = 0
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [*pinned(SERVER_CORE), *command],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if self.port_on_stdout else self._log,
            stderr=self._log,
            preexec_fn=raise_files,
            start_new_session=True,
        )

    port_on_stdout = False

    @property
    def pids(self) -> list[int]:
        """The server's processes: the one started, and its children."""
        return [self._process.pid, *_children(self._process.pid)]

    def rss_kib(self) -> int:
        """Resident memory of all its processes."""
        return sum(_rss_kib(pid) for pid in self.pids)

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, and what it started."""
        for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            if self._process.poll() is not None:
                break
            self._process.send_signal(number)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def told(self) -> str:
        """The end of what it logged."""
        return self.log.read_text(errors="replace")[-1500:]


class Gateway(Server):
    """`quotewire serve`, authenticated clients, metrics on."""

    def __init__(self, load: Load, *, settings: dict[str, str] | None = None, streams: int = 3) -> None:
        self._dir = Path(tempfile.mkdtemp(prefix="quotewire-bench-"))
        persons = ",".join(f"p{i}=bench{i:02d}" for i in range(1, streams + 1))
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("QUOTEWIRE_", "WS_"))}
        environ |= {
            "PORT": "0",
            "LOG_LEVEL": "info",
            "QUOTEWIRE_LOGIN_URL": f"http://127.0.0.1:{load.port}",
            "QUOTEWIRE_API_HOSTS": "127.0.0.1",
            "QUOTEWIRE_DATA_DIR": str(self._dir / "data"),
            "QUOTEWIRE_PERSONS": persons,
            **OPEN_LIMITS,
            **(settings or {}),
        }
        program = str(Path(sys.executable).with_name("quotewire"))
        super().__init__([program, "serve"], environ, self._dir / "log")
        self.load = load
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if not self.alive():
                raise BenchError(f"the gateway ended: {self.told()}")
            self.port = self.port or self._logged_port()
            if self.port and self._ready():
                self.tell_load()
                return
            time.sleep(0.1)
        raise BenchError(f"the gateway did not get ready: {self.told()}")

    def tell_load(self, sources: int = 1) -> None:
        """Tell the load program where the gateway is, with a token."""
        token = self.get("/api-auth/auth/access-token/p1")["accessToken"]
        pids = ",".join(map(str, self.pids))
        self.load.call("server", port=self.port, token=token, pids=pids, path="/ws", sources=sources)

    def get(self, path: str) -> Any:
        """The `data` of a REST answer."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return json.load(answer)["data"]

    def await_wanted(self, symbols: int) -> None:
        """Wait until the upstream has heard that so many symbols are wanted. Raises BenchError when it never does."""
        told = f'quotewire_upstream{{reading="symbols_wanted"}} {symbols}'
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                if any(line.startswith(told) for line in answer.read().decode().splitlines()):
                    return
            time.sleep(0.05)
        raise BenchError(f"the upstream was never asked for {symbols} symbols: {self.told()}")

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api-auth/persons", timeout=2) as answer:
                persons = json.load(answer)["data"]
        except OSError:
            return False
        return bool(persons) and all(person["isActive"] for person in persons)

    def _logged_port(self) -> int:
        for line in self.log.read_text(errors="replace").splitlines():
            if '"serving"' in line and '"url"' in line:
                return int(json.loads(line)["url"].rpartition(":")[2])
        return 0

    def close(self) -> None:
        """End it, and remove what it kept."""
        super().close()
        shutil.rmtree(self._dir, ignore_errors=True)


def raise_files() -> None:
    """Let a server have as many files open as the system gives."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _children(pid: int) -> list[int]:
    try:
        found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*found, *(below for child in found for below in _children(child))]


def _rss_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")), 0)
