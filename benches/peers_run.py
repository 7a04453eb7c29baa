"""The peers: programs that take ready-made messages and hand each to all their clients. `peers/` holds them."""

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benches.gateway import Server
from benches.loading import BenchError, Load

HERE: Final = Path(__file__).resolve().parent / "peers"


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
        line = self._process.stdout.readline()
        if not line.strip().isdigit():
            told = self.told()
            self.close()
            raise BenchError(f"{peer.name} did not start: {told}")
        self.port = int(line)
        load.call("server", port=self.port, raw=1, path="/ws", pids=",".join(map(str, self.pids)))

    def close(self) -> None:
        """End it."""
        super().close()
        shutil.rmtree(self._dir, ignore_errors=True)


def python_peer(name: str, script: str, python: Path | None = None) -> Peer:
    """A peer written in Python."""
    return Peer(name, (str(python or sys.executable), str(HERE / script)))
