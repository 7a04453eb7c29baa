"""Faults as data: what there is, what is active, whom it hits, when it ends. Pure: `now` is monotonic seconds.

The list itself is in `faultlist`. A fault names the seams it acts at; the code at a seam asks `take` (uses up a count)
or `standing` (does not), and applies the answer. Nothing here does anything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from quotewire.errors import QuotewireError


class FaultError(QuotewireError):
    """A fault was asked for that does not exist, or with parameters it does not take."""

    code = "fault"


class Seam(StrEnum):
    """Where a fault acts."""

    TOKEN = "token"  # noqa: S105
    REST = "rest"
    CONTENT = "content"
    UPGRADE = "upgrade"
    AUTH = "auth"
    STREAM = "stream"
    NOW = "now"  # on what is open at this moment; with count or seconds also on what opens later
    MARKET = "market"
    DOWN = "down"


COUNTED: Final = frozenset({Seam.TOKEN, Seam.REST, Seam.UPGRADE, Seam.AUTH})  # one use unless told otherwise


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a fault. `kinds` are the JSON types it takes, `choices` its words, `allowed` its numbers."""

    name: str
    default: Any
    help: str
    kinds: tuple[type, ...]
    choices: tuple[str, ...] = ()
    allowed: range | frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One kind of fault. `fact` is the confidence mark of what it imitates, `invented` where nobody has seen it."""

    name: str
    seams: frozenset[Seam]
    help: str
    fact: str
    params: tuple[Param, ...] = ()
    personal: bool = True  # it can be limited to one person
    modifies: bool = False  # it bends the answer instead of deciding it, so several can act on one request

    @property
    def params_by_name(self) -> dict[str, Param]:
        """Its parameters by name."""
        return {each.name: each for each in self.params}

    @property
    def counted(self) -> bool:
        """It is used up after one use unless `count` or `seconds` say otherwise."""
        return bool(self.seams & COUNTED)


@dataclass(slots=True)
class ActiveFault:
    """A fault in force. `left` uses (None: any number), `until` monotonic seconds (None: until cleared)."""

    number: int
    spec: FaultSpec
    person: str | None
    left: int | None
    until: float | None
    params: Mapping[str, Any]
    used: int = 0

    def hits(self, person: str | None) -> bool:
        """It concerns this person."""
        return self.person is None or self.person == person

    def summary(self) -> dict[str, Any]:
        """For `GET /control/stats`."""
        shown = {key: sorted(value) if isinstance(value, frozenset) else value for key, value in self.params.items()}
        return {
            "id": self.number,
            "fault": self.spec.name,
            "person": self.person,
            "countLeft": self.left,
            "used": self.used,
            "params": shown,
        }


@dataclass(slots=True)
class FaultBook:
    """The faults in force."""

    specs: Mapping[str, FaultSpec]
    persons: frozenset[str]
    active: list[ActiveFault] = field(default_factory=list)
    number: int = 0

    def check(self, name: str, person: str | None, params: Mapping[str, Any]) -> tuple[FaultSpec, dict[str, Any]]:
        """The fault's spec and its parameters with defaults filled in. Raises FaultError for what does not exist."""
        spec = self.specs.get(name)
        if spec is None:
            raise FaultError(f"there is no fault {name!r}: use one of {', '.join(sorted(self.specs))}")
        if person is not None and person not in self.persons:
            raise FaultError(f"there is no person {person!r}: use one of {', '.join(sorted(self.persons))}")
        if person is not None and not spec.personal:
            raise FaultError(f"fault {name} hits everybody: leave the person out")
        known = spec.params_by_name
        for key, value in params.items():
            if key not in known:
                raise FaultError(f"fault {name} has no parameter {key!r}: it takes {', '.join(known) or 'none'}")
            _check_value(name, known[key], value)
        return spec, {each.name: params.get(each.name, each.default) for each in spec.params}

    def add(
        self,
        spec: FaultSpec,
        now: float,
        *,
        person: str | None = None,
        count: int | None = None,
        seconds: float | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> ActiveFault:
        """Put a checked fault in force. Raises FaultError for a count or a time that is not positive."""
        if (count is not None and count < 1) or (seconds is not None and seconds <= 0):
            raise FaultError(f"fault {spec.name}: count and seconds must be positive")
        if count is None and seconds is None and spec.counted:
            count = 1
        self.number += 1
        until = None if seconds is None else now + seconds
        fault = ActiveFault(self.number, spec, person, count, until, dict(params or {}))
        self.active.append(fault)
        return fault

    def take(self, seam: Seam, person: str | None, now: float, where: str = "") -> ActiveFault | None:
        """The oldest fault that decides the outcome at this seam, counted as used; None if there is none.

        `where` is the REST path below /v1/, or the kind of socket.
        """
        for fault in self.active:
            if not fault.spec.modifies and _applies(fault, seam, person, now, where):
                self.use(fault)
                return fault
        return None

    def modifiers(self, seam: Seam, person: str | None, now: float, where: str = "") -> list[ActiveFault]:
        """All faults that bend the outcome without deciding it, each counted as used."""
        found = [each for each in self.active if each.spec.modifies and _applies(each, seam, person, now, where)]
        for fault in found:
            self.use(fault)
        return found

    def use(self, fault: ActiveFault, times: int = 1) -> None:
        """Count uses; a fault that is used up is gone."""
        fault.used += times
        if fault.left is not None:
            fault.left -= times
            if fault.left <= 0:
                self.drop(fault)

    def drop(self, fault: ActiveFault) -> None:
        """Take one fault out of force."""
        if fault in self.active:
            self.active.remove(fault)

    def standing(self, seam: Seam, person: str | None, now: float) -> list[ActiveFault]:
        """All faults in force at this seam for this person; nothing is used up."""
        return [each for each in self.active if seam in each.spec.seams and each.hits(person) and _alive(each, now)]

    def any_at(self, seam: Seam) -> bool:
        """Whether the seam has any fault at all: the cheap question of a hot path."""
        return any(seam in each.spec.seams for each in self.active)

    def expire(self, now: float) -> list[ActiveFault]:
        """Remove and return the faults whose time is over."""
        over = [each for each in self.active if not _alive(each, now)]
        self.active = [each for each in self.active if _alive(each, now)]
        return over

    def clear(self, name: str | None = None, person: str | None = None) -> list[ActiveFault]:
        """Remove and return the faults of a name and of a person (of all when None)."""
        gone = [each for each in self.active if name in (None, each.spec.name) and person in (None, each.person)]
        self.active = [each for each in self.active if each not in gone]
        return gone


def catalogue(specs: Iterable[FaultSpec]) -> list[dict[str, Any]]:
    """The list for `GET /control/faults`."""
    return [
        {
            "fault": each.name,
            "help": each.help,
            "fact": each.fact,
            "seams": sorted(each.seams),
            "defaultCount": 1 if each.counted else None,
            "params": {
                param.name: {"help": param.help, "default": param.default, "choices": list(param.choices) or None}
                for param in each.params
            },
        }
        for each in specs
    ]


def _alive(fault: ActiveFault, now: float) -> bool:
    return fault.until is None or now < fault.until


def _applies(fault: ActiveFault, seam: Seam, person: str | None, now: float, where: str) -> bool:
    if seam not in fault.spec.seams or not fault.hits(person) or not _alive(fault, now):
        return False
    kind = fault.params.get("kind")
    if kind is not None:
        return kind in ("any", where)
    path = str(fault.params.get("path") or "").strip("/")
    return not path or where.startswith(path)


def _check_value(name: str, param: Param, value: Any) -> None:
    right = isinstance(value, param.kinds) and not (isinstance(value, bool) and bool not in param.kinds)
    if not right:
        names = " or ".join(kind.__name__ for kind in param.kinds)
        raise FaultError(f"fault {name}: {param.name} must be {names}, not {value!r}")
    if param.choices and not all(each in param.choices for each in (value if isinstance(value, list) else [value])):
        raise FaultError(f"fault {name}: {param.name} must be of {', '.join(param.choices)}")
    if param.allowed is not None and value not in param.allowed:
        raise FaultError(f"fault {name}: {param.name} cannot be {value}")
