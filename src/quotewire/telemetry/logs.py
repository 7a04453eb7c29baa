"""Logs: one JSON object a line, with every secret-looking value taken out."""

import logging
import re
import sys
from typing import Any, TextIO

import msgspec

REDACTED = "[redacted]"

# Fields of this module's own and of LogRecord itself; whatever else a record carries came in through `extra`.
STANDARD_FIELDS = frozenset(
    (*vars(logging.LogRecord("", 0, "", 0, "", None, None)), "message", "asctime", "taskName", "color_message")
)
SECRET_NAMES = re.compile(r"token|secret|passphrase|password|authorization|vault_key|cookie", re.IGNORECASE)
PUBLIC_NAMES = frozenset({"token_state", "token_age_s", "token_expires_at"})
SECRET_TEXT = (
    re.compile(r"(?i)(bearer\s+)[^\s\"',]+"),
    re.compile(r"(?i)((?:access_|refresh_)?token[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,}]+"),
    re.compile(r"()eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"),
)

_encode = msgspec.json.Encoder(enc_hook=str).encode


class Secrets:
    """The exact secrets known to this process, so that none is written even where no pattern would find it."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def add(self, secret: str) -> None:
        """Never let this text be written. Texts under 8 characters are left to the patterns."""
        if len(secret) >= 8:
            self._known.add(secret)

    def redact(self, text: str) -> str:
        """Take every secret out of `text`."""
        for secret in self._known:
            text = text.replace(secret, REDACTED)
        for pattern in SECRET_TEXT:
            text = pattern.sub(lambda found: found.group(1) + REDACTED, text)
        return text


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, message, event, and the record's own fields."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in STANDARD_FIELDS:
                hidden = name not in PUBLIC_NAMES and SECRET_NAMES.search(name)
                line[name] = REDACTED if hidden else value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self._secrets.redact(_encode(line).decode())


def configure(level: str, *, stream: TextIO | None = None, secrets: Secrets | None = None) -> Secrets:
    """Send all logs of `level` and above to `stream` (standard error) as JSON lines; returns the secrets kept out."""
    kept = secrets or Secrets()
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(kept))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries say per request what our own events say better.
    for noisy in ("uvicorn.access", "httpx", "httpcore", "websockets", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")
    logging.getLogger("uvicorn.error").setLevel("WARNING")
    return kept
