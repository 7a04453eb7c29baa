"""From the environment to the settings, or to a sentence for each variable that is wrong."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from quotewire.errors import ConfigurationError
from quotewire.settings import connections, delivery, limits, logins, operations, serving, upstream
from quotewire.settings.model import Settings
from quotewire.settings.variable import Variable

VARIABLES: tuple[Variable, ...] = tuple(
    variable
    for topic in (serving, connections, delivery, limits, operations, logins, upstream)
    for variable in topic.VARIABLES
)
"""Every variable `serve` reads, in the order of the documentation."""

READ_ELSEWHERE = frozenset({"QUOTEWIRE_URL", "QUOTEWIRE_FIXTURES"})
"""Names that are ours but belong to clients and tests."""

# Kubernetes gives each pod such variables for every Service named "quotewire" or "quotewire-…"; they are not settings.
SERVICE_LINK = re.compile(r"QUOTEWIRE_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)")
SERVICE_LINK_PORT = re.compile(r"QUOTEWIRE_(\w+_)?PORT")
SERVICE_LINK_URL = re.compile(r"(tcp|udp|sctp)://.*")


def load(environ: Mapping[str, str]) -> Settings:
    """Build the settings from `environ`. An empty variable counts as unset.

    Raises ConfigurationError with one line for each variable that is unknown or malformed.
    """
    problems = [*_unknown(environ)]
    development = (environ.get("QUOTEWIRE_ENV") or environ.get("NODE_ENV") or "").lower() == "development"
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        name, given = _given(variable, environ)
        default = variable.development if development and variable.development is not None else variable.default
        text = given or default
        try:
            values[variable.field] = None if text is None else variable.parse(text)
        except (ValueError, KeyError):
            problems.append(f"{name}: {_shown(variable, text or '')} is not valid; it accepts {variable.accepts}")
    problems += _contradictions(values)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Settings(**values)


def _given(variable: Variable, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """The name that sets `variable` here, and its value."""
    if variable.name == "QUOTEWIRE_ENV" and not environ.get("QUOTEWIRE_ENV") and environ.get("NODE_ENV"):
        return "NODE_ENV", environ["NODE_ENV"]
    return variable.name, environ.get(variable.name)


def _shown(variable: Variable, text: str) -> str:
    # A URL may carry a password before its @.
    return "the value given (kept out of this message)" if variable.secret or "@" in text else repr(text)


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with settings that are each valid alone."""
    ping, silence = values.get("ping_interval_ms"), values.get("connection_timeout_ms")
    if ping is None or silence is None or ping < silence:
        return []
    told = "clients that only listen speak once a ping, and would all be closed"
    return [f"WS_PING_INTERVAL: {ping} must be less than WS_CONNECTION_TIMEOUT, which is {silence}: {told}"]


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = [variable.name for variable in VARIABLES]
    problems: list[str] = []
    for name, value in environ.items():
        if name in known or name in READ_ELSEWHERE or _is_service_link(name, value):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.88 if len(name) >= 8 else 1.0)
        if near or name.startswith(("QUOTEWIRE_", "WS_")):
            hint = near or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            meant = f"; did you mean {hint[0]}?" if hint else "; docs/settings.md lists all"
            problems.append(f"{name}: there is no such variable{meant}")
    return sorted(problems)


def _is_service_link(name: str, value: str) -> bool:
    if SERVICE_LINK.fullmatch(name):
        return True
    return bool(SERVICE_LINK_PORT.fullmatch(name) and SERVICE_LINK_URL.fullmatch(value))
