"""Logs: one JSON object a line, with every secret-looking value taken out."""

import logging
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import msgspec

REDACTED = "[redacted]"
MAX_DEPTH = 6
"""Levels of a nested field that are written; what lies deeper is shown as text."""

# Fields of this module's own and of LogRecord itself; whatever else a record carries came in through `extra`.
STANDARD_FIELDS = frozenset(
    (*vars(logging.LogRecord("", 0, "", 0, "", None, None)), "message", "asctime", "taskName", "color_message")
)
SECRET_NAMES = re.compile(r"token|secret|passphrase|password|authorization|vault_?key|cookie", re.IGNORECASE)
PUBLIC_NAMES = frozenset({"token_state", "token_age_s", "token_expires_at"})
# A backslash before the quote: the secret may stand in JSON that was logged as text.
SECRET_TEXT = (
    re.compile(r"(?i)(bearer\s+)[^\s\"',\\]+"),
    re.compile(r"(?i)((?:token|authorization)\\?[\"']?\s*[=:]\s*\\?[\"']?)(?!bearer\b)[^\s\"'&,}\\]+"),
    re.compile(r"()eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"),
)
SUSPICIOUS = re.compile(r"(?i)bearer|token|authorization|eyj")
"""Where this is not found, none of the patterns is: a line without secrets should cost little."""

MAX_NAMES = 1000
LINES_PER_EVENT = 100
"""Lines a second of one event, below warnings."""

_encode = msgspec.json.Encoder().encode


class Secrets:
    """The exact secrets known to this process, so that none is written even where no pattern would find it."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._names: dict[str, tuple[str, bool]] = {}  # names of fields as they may be written, and whether they hide

    def add(self, secret: str) -> None:
        """Never let this text be written. Texts under 8 characters are left to the patterns."""
        if len(secret) >= 8:
            self._known.add(secret)
            self._names.clear()

    def redact(self, text: str) -> str:
        """Take every secret out of `text`."""
        for secret in self._known:
            text = text.replace(secret, REDACTED)
        if SUSPICIOUS.search(text) is not None:
            for pattern in SECRET_TEXT:
                text = pattern.sub(lambda found: found.group(1) + REDACTED, text)
        return text

    def clean(self, value: Any, depth: int = 0) -> Any:
        """Turn any value into one that JSON can hold and that holds no secret. Never raises."""
        if value is None or isinstance(value, bool):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else str(value)
        if type(value) is int and -(2**63) <= value < 2**63:
            return value
        if depth < MAX_DEPTH and isinstance(value, Mapping):
            return dict(self._field(k, v, depth) for k, v in value.items())
        if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
            return [self.clean(item, depth + 1) for item in value]
        return self._text(value)

    def _field(self, key: Any, value: Any, depth: int) -> tuple[str, Any]:
        known = self._names.get(key) if type(key) is str else None
        if known is None:
            name = self._text(key)
            known = name, name not in PUBLIC_NAMES and SECRET_NAMES.search(name) is not None
            if type(key) is str and len(self._names) < MAX_NAMES:
                self._names[key] = known
        name, hidden = known
        return name, REDACTED if hidden else self.clean(value, depth + 1)

    def _text(self, value: Any) -> str:
        try:
            text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        except Exception:  # noqa: BLE001  a value that cannot even be shown must not cost the line
            text = f"[a {type(value).__name__} that cannot be shown]"
        # Lone surrogates, as file names may have them, are no UTF-8.
        return self.redact(text.encode(errors="backslashreplace").decode())


class Throttle(logging.Filter):
    """Lets so many lines of one event pass a second, so that a storm of clients is not a storm of lines.

    The next line of that event says in `suppressed` how many were left out before it. Warnings and worse always pass.
    """

    def __init__(self, per_second: int = LINES_PER_EVENT, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._per_second = per_second
        self._clock = clock
        self._second = 0
        self._passed: Counter[str] = Counter()
        self._suppressed: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        event = getattr(record, "event", None)
        if record.levelno >= logging.WARNING or not isinstance(event, str):
            return True
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._passed.clear()
        self._passed[event] += 1
        if self._passed[event] > self._per_second:
            self._suppressed[event] += 1
            return False
        if left_out := self._suppressed.pop(event, 0):
            record.suppressed = left_out
        return True


class Lines:
    """Lines that many clients cause at once, of a module: those that `Throttle` would leave out are not even made."""

    def __init__(
        self,
        logger: logging.Logger,
        *,
        per_second: int = LINES_PER_EVENT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._per_second = per_second
        self._clock = clock
        self._second = 0
        self._told: Counter[str] = Counter()
        self._suppressed: Counter[str] = Counter()

    def info(self, event: str, message: str, fields: Callable[[], Mapping[str, object]], **more: object) -> None:
        """Tell an event, with `fields()` and `more`."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._told.clear()
        told = self._told[event] = self._told[event] + 1
        if told > self._per_second:
            self._suppressed[event] += 1
            return
        if left_out := self._suppressed.pop(event, 0):
            more["suppressed"] = left_out
        self._logger.info(message, extra={"event": event, **more, **fields()})


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time (UTC), level, logger, message, event, and the record's own fields.

    `process` names the process where there are several; it stands in every line.
    """

    def __init__(self, secrets: Secrets, process: str = "") -> None:
        super().__init__()
        self._secrets = secrets
        self._fixed = {"process": process} if process else {}
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **self._fixed,
        }
        for name, value in vars(record).items():
            if name not in STANDARD_FIELDS and name not in line:
                line[name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return _encode(self._secrets.clean(line)).decode()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  arguments that do not fit the message must not cost the line
        return f"{record.msg} (its arguments do not fit it)"


def configure(
    level: str, *, stream: TextIO | None = None, secrets: Secrets | None = None, process: str = ""
) -> Secrets:
    """Send all logs of `level` and above to `stream` (standard error) as JSON lines; returns the secrets kept out."""
    kept = secrets or Secrets()
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(kept, process))
    handler.addFilter(Throttle())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries say per request what our own events say better.
    for noisy in ("uvicorn.access", "httpx", "httpcore", "websockets", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")
    logging.getLogger("uvicorn.error").setLevel("WARNING")
    return kept
