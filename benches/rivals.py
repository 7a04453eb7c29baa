"""The peers: programs that take ready-made messages and hand each to all their clients. `peers/` holds them.

None of them decodes quotes, keeps a book, authenticates or counts: each does less than the gateway, and what it does
is the whole of its library's fan-out.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from benches.gateway import Server
from benches.loading import HERE, BenchError, Load

if TYPE_CHECKING:
    from benches.setting import Setting

PEERS: Final = HERE / "peers"
INSTALL_S: Final = 240.0


class HasRss(Protocol):
    """Something whose memory can be told."""

    def rss_kib(self) -> int:
        """Resident memory."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer: its name in the table, and how it is started (a feed port is added)."""

    name: str
    command: tuple[str, ...]


class PeerServer(Server):
    """A peer that runs. It prints its port once it listens."""

    port_on_stdout = True

    def __init__(self, peer: Peer, load: Load) -> None:
        self._dir = Path(tempfile.mkdtemp(prefix="quotewire-bench-"))
        super().__init__([*peer.command, str(load.port)], dict(os.environ), self._dir / "log")
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said.strip().isdigit():
            told = self.told()
            self.close()
            raise BenchError(f"{peer.name} did not start: {told}")
        self.port = int(said)
        load.call("server", port=self.port, raw=1, path="/ws", pids=",".join(map(str, self.pids)))

    def close(self) -> None:
        """End it."""
        super().close()
        shutil.rmtree(self._dir, ignore_errors=True)


PYTHON_PEERS: Final = (
    ("socketify (uWebSockets)", "with_socketify.py"),
    ("picows", "with_picows.py"),
    ("aiohttp", "with_aiohttp.py"),
    ("websockets broadcast()", "with_websockets.py"),
    ("uvicorn + websockets", "with_uvicorn.py"),
)


def available(setting: "Setting") -> tuple[list[Peer], dict[str, str]]:
    """The peers that can be had here, and why the others cannot."""
    peers, missing = [Peer("C limit", (str(setting.limit_program),))], dict[str, str]()
    if not setting.with_peers:
        return peers, missing
    build = setting.load_program.parent
    try:
        python = install_python(build)
        peers += [Peer(name, (str(python), str(PEERS / script))) for name, script in PYTHON_PEERS]
    except BenchError as error:
        missing |= {name: str(error) for name, _ in PYTHON_PEERS}
    try:
        peers.append(Peer("node ws", ("node", str(install_node(build) / "with_ws.mjs"))))
    except BenchError as error:
        missing["node ws"] = str(error)
    return peers, missing


def install_python(build: Path) -> Path:
    """An environment of the peers' own, from `requirements.lock`; its interpreter. Raises BenchError."""
    place = build / "python"
    python, mark = place / "bin" / "python", place / "installed"
    lock = HERE / "requirements.lock"
    if mark.exists() and mark.read_text() == lock.read_text():
        return python
    _must([sys.executable, "-m", "venv", "--clear", str(place)], "an environment for the Python peers")
    _must([str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(lock)], "the Python peers")
    mark.write_text(lock.read_text())
    return python


def install_node(build: Path) -> Path:
    """`ws` for node, from its lock file, beside a copy of the program. Raises BenchError."""
    place, source = build / "node", PEERS / "node"
    if not shutil.which("node") or not shutil.which("npm"):
        raise BenchError("node or npm is not installed")
    place.mkdir(parents=True, exist_ok=True)
    fresh = (place / "package-lock.json").exists() and (place / "node_modules").exists()
    fresh = fresh and (place / "package-lock.json").read_bytes() == (source / "package-lock.json").read_bytes()
    for name in ("package.json", "package-lock.json", "with_ws.mjs"):
        shutil.copy(source / name, place / name)
    if not fresh:
        _must(["npm", "ci", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", str(place)], "ws")
    return place


def _must(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{what} could not be installed: {type(error).__name__}") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise BenchError(f"{what} could not be installed: {' '.join(last)[:200]}")
