"""What the processes of one gateway say to each other, as bytes. Pure.

A frame is four bytes of length, big-endian, and one message in MessagePack. Messages are arrays that begin with a short
tag: `Welcome` and `Hello` come first and name the version, and everything else is understood only by peers of the same
version. Both ends are started from the same program, so a version that differs means that one is left over from before
an upgrade: it is refused in words, never guessed at.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

import msgspec

from quotewire.errors import BusError
from quotewire.market.quote import Quote
from quotewire.resilience.accounts import Held
from quotewire.wire.messages import UpstreamState
from quotewire.wire.options import Gap

VERSION: Final = 2
LENGTH: Final = 4
MAX_FRAME_BYTES: Final = 32 * 1024 * 1024
"""A frame that claims more is garbage. The largest there are carry `BATCH` quotes, or the answer to a look-up."""

BATCH: Final = 512
"""Quotes in one frame at most, so that nothing on a connection waits long behind another."""


class Message(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What all messages share: they are arrays on the wire, tag first."""


class TokenView(msgspec.Struct, array_like=True, frozen=True):
    """One person's login as the edge sees it; the shape of the edge's `Person`."""

    name: str
    is_active: bool
    last_error: str


# --- the owner to a node ---


class Welcome(Message, tag="welcome", frozen=True):
    """The answer to a `Hello` that is taken: what came before follows as `Updates`, then `CaughtUp`.

    `key` signs client tokens, so that every node takes those of every other. `epoch` is that of all quotes to come.
    """

    version: int
    epoch: int
    key: bytes
    state: UpstreamState
    persons: list[TokenView]


class CaughtUp(Message, tag="caught-up", frozen=True):
    """The node has now what every other node has."""


class Updates(Message, tag="updates", frozen=True):
    """Stamped quotes, oldest first; `missed` tells the updates before them that this node will never get."""

    quotes: list[Quote]
    missed: list[Gap] = []


class Told(Message, tag="told", frozen=True):
    """The state of the upstream and of the logins, when either changed."""

    state: UpstreamState
    persons: list[TokenView]


class Answer(Message, tag="answer", frozen=True):
    """What became of `Ask` number `number`: `body` in MessagePack, or why not."""

    number: int
    body: msgspec.Raw = msgspec.Raw(b"\xc0")
    failure: "Failure | None" = None


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """An error of the tree, as it crosses the bus; see `bus/failures.py`."""

    code: str
    message: str
    details: dict[str, float] = {}


class Collect(Message, tag="collect", frozen=True):
    """Asks a node for its `Readings` now."""

    number: int


class Beat(Message, tag="beat", frozen=True):
    """A sign of life, each way, when nothing else is said."""


class Refused(Message, tag="refused", frozen=True):
    """The owner will not speak with this node, which had better be started anew."""

    reason: str


# --- a node to the owner ---


class Hello(Message, tag="hello", frozen=True):
    """The first message of a node.

    `wanted` are the symbols its clients want, so that an owner that was started anew knows them. `fenced` is the epoch
    this node has told its clients is over; 0 when none is.
    """

    version: int
    node: int
    wanted: list[int] = []
    fenced: int = 0


class Holds(Message, tag="holds", frozen=True):
    """The answer to a `Welcome`: all that the clients of this node hold of what addresses and keys may have.

    It is said before the first question, so that every client is in it or asks.
    """

    held: list[Held]


class Want(Message, tag="want", frozen=True):
    """The symbols that are wanted on this node from now on, and those no longer."""

    added: list[int]
    removed: list[int]


class Question(StrEnum):
    """What a node may ask; the arguments and answers are told in `bus/questions.py`."""

    RESOLVE = "resolve"
    SEARCH = "search"
    SNAPSHOT = "snapshot"
    REFRESH = "refresh"
    REPORT = "report"
    SAMPLES = "samples"
    CLIENTS = "clients"
    ADMIT = "admit"
    CLAIM = "claim"
    DRAW = "draw"


class Ask(Message, tag="ask", frozen=True):
    """A question, answered by an `Answer` of the same number."""

    number: int
    question: Question
    arguments: list[Any] = []


class Reading(msgspec.Struct, array_like=True, frozen=True):
    """One number of one process, for the catalogue's metric of that name."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


class Readings(Message, tag="readings", frozen=True):
    """All numbers of a node; `number` is the `Collect`'s, or 0 when nobody asked."""

    number: int
    readings: list[Reading]


class Counted(Message, tag="counted", frozen=True):
    """Numbers of a node that grew; all others are as it said last."""

    readings: list[Reading]


class Left(Message, tag="left", frozen=True):
    """Clients hold so much less."""

    held: list[Held]


class Reported(Message, tag="reported", frozen=True):
    """What one client reported of itself (R19)."""

    client: str
    counts: dict[str, float]


FromOwner = Welcome | CaughtUp | Updates | Told | Answer | Collect | Beat | Refused
FromNode = Hello | Holds | Want | Ask | Readings | Counted | Left | Reported | Beat

_encoder: Final = msgspec.msgpack.Encoder()
_from_owner: "msgspec.msgpack.Decoder[FromOwner]" = msgspec.msgpack.Decoder(FromOwner)
_from_node: "msgspec.msgpack.Decoder[FromNode]" = msgspec.msgpack.Decoder(FromNode)


def frame(message: Message) -> bytes:
    """The bytes of one message, its length before it."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH, "big") + body


def packed(value: object) -> msgspec.Raw:
    """A value as the body of an `Answer`."""
    return msgspec.Raw(_encoder.encode(value))


def from_owner(body: bytes) -> FromOwner:
    """Read what the owner said. Raises BusError."""
    try:
        return _from_owner.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BusError(f"the owner of the upstream said what cannot be understood: {error}") from None


def from_node(body: bytes) -> FromNode:
    """Read what a node said. Raises BusError."""
    try:
        return _from_node.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BusError(f"a process on the bus said what cannot be understood: {error}") from None


class Splitter:
    """Cuts a stream of bytes into the bodies of frames."""

    def __init__(self, longest: int = MAX_FRAME_BYTES) -> None:
        self._longest = longest
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies that are whole now. Raises BusError for a length nobody would send."""
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= LENGTH:
                length = int.from_bytes(self._buffer[at : at + LENGTH], "big")
                if not 0 < length <= self._longest:
                    raise BusError(f"a frame on the bus claims {length} bytes; this is not a process of the gateway")
                if len(self._buffer) - at - LENGTH < length:
                    return
                body = bytes(self._buffer[at + LENGTH : at + LENGTH + length])
                at += LENGTH + length
                yield body
        finally:
            del self._buffer[:at]
