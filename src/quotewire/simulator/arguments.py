"""Reading query values as Questrade does: strict, and naming the argument at fault. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from quotewire.market.calendar import TORONTO
from quotewire.simulator.refusals import Refusal

LONGEST_TIME: Final = 32  # a microsecond time with an offset; longer fractions were seen to be refused with 1003
LARGEST_ID: Final = 2**31 - 1


def check_names(query: Mapping[str, str], allowed: frozenset[str], longest: int) -> None:
    """Refuse arguments that do not exist (1002, naming the first) and values that are too long (1003)."""
    for name, value in query.items():
        if name not in allowed:
            raise Refusal(1002, name)
        if len(value) > longest:
            raise Refusal(1003)


def required(query: Mapping[str, str], name: str) -> str:
    """A value that must be there (1004)."""
    value = query.get(name)
    if value is None:
        raise Refusal(1004, name)
    return value


def one_id(text: str, name: str) -> int:
    """A single id (1002). Lists are not ids: `1,2` in a path is refused."""
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or not 0 < int(text) <= LARGEST_ID:
        raise Refusal(1002, name)
    return int(text)


def many_ids(text: str, name: str) -> tuple[int, ...]:
    """Ids separated by commas, in order, each once (1002)."""
    return tuple(dict.fromkeys(one_id(part.strip(), name) for part in text.split(",")))


def many_names(text: str, name: str) -> tuple[str, ...]:
    """Names separated by commas, in order, each once (1002)."""
    names = tuple(dict.fromkeys(part.strip().upper() for part in text.split(",")))
    if not all(names):
        raise Refusal(1002, name)
    return names


def moment(text: str, name: str) -> float:
    """Epoch seconds of an ISO 8601 time; Toronto when it has no offset (1003 too long, 1002 malformed)."""
    if len(text) > LONGEST_TIME:
        raise Refusal(1003)
    try:
        when = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + arrives as a blank
        return (when if when.tzinfo else when.replace(tzinfo=TORONTO)).timestamp()
    except (ValueError, OverflowError):
        raise Refusal(1002, name) from None


def choice(text: str, name: str, choices: tuple[str, ...]) -> str:
    """One of a list, as written there (1002)."""
    if text not in choices:
        raise Refusal(1002, name)
    return text


def flag(text: str, name: str) -> bool:
    """True or false (1002)."""
    if text.lower() not in ("true", "false"):
        raise Refusal(1002, name)
    return text.lower() == "true"
