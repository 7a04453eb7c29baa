"""What a process of the gateway and its parent tell each other: a lifeline in, a few words out.

The parent holds the other end of standard input and never writes to it: when that ends, the parent is gone, however it
went, and this process ends too. On standard output go single words: `ready`, `beat`, `drain`, `hasten`.
"""

import asyncio
import contextlib
import os
import signal
import threading
import time
from typing import Final

READY: Final = b"ready"
BEAT: Final = b"beat"
DRAIN: Final = b"drain"
HASTEN: Final = b"hasten"
"""An operator asked this process for the end of the whole gateway, or for that at once."""

BEAT_S: Final = 1.0
ORPHAN_S: Final = 5.0
"""How long a process may take to end well when its parent is gone; a new parent may be waiting for its place."""

LIFELINE, WORDS = 0, 1
orphaned: Final = threading.Event()
"""Set when the parent is gone: what it would have cleared away is ours to clear away."""

ORPHANED: Final = 75
"""The exit code of one that could not."""


def watch_parent() -> None:
    """End this process when its parent is gone: well within `ORPHAN_S`, else at once.

    By a thread, so that it holds for a process whose loop is stuck.
    """
    os.set_blocking(WORDS, False)
    threading.Thread(target=_watch, name="lifeline", daemon=True).start()


def _watch() -> None:
    with contextlib.suppress(OSError):
        while os.read(LIFELINE, 1024):
            pass
    orphaned.set()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(ORPHAN_S)
    os._exit(ORPHANED)


def say(word: bytes) -> None:
    """Say a word to the parent. One that does not listen is about to find out itself."""
    with contextlib.suppress(OSError):
        os.write(WORDS, word + b"\n")


async def beat() -> None:
    """Say that the loop turns, until cancelled."""
    while True:
        say(BEAT)
        await asyncio.sleep(BEAT_S)
