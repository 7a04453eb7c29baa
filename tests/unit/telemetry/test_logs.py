"""Log lines: always one line of valid JSON, never a secret, whatever is logged."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from quotewire.telemetry.logs import REDACTED, JsonFormatter, Secrets, Throttle, configure
from quotewire.telemetry.logs import Lines as ManyLines

log = logging.getLogger("quotewire.test")


@pytest.fixture
def lines() -> Iterator["Lines"]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    others = {name: logging.getLogger(name).level for name in ("uvicorn.access", "uvicorn.error", "httpx", "httpcore")}
    others |= {name: logging.getLogger(name).level for name in ("websockets", "asyncio")}
    stream = io.StringIO()
    secrets = configure("debug", stream=stream)
    yield Lines(stream, secrets)
    root.handlers[:] = before
    root.setLevel(level)
    for name, kept in others.items():
        logging.getLogger(name).setLevel(kept)


class Lines:
    def __init__(self, stream: io.StringIO, secrets: Secrets) -> None:
        self.stream = stream
        self.secrets = secrets

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def only(self) -> dict[str, Any]:
        (line, end) = self.text.split("\n")
        assert end == ""
        decoded: dict[str, Any] = msgspec.json.decode(line)
        return decoded


def test_a_line_says_when_how_bad_who_and_what(lines: Lines) -> None:
    log.warning("client %s is gone", "ws-1", extra={"event": "client_gone", "code": 1001})
    line = lines.only()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "quotewire.test",
        "message": "client ws-1 is gone",
        "event": "client_gone",
        "code": 1001,
    }


def test_the_time_is_utc() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "m", None, None)
    record.created, record.msecs = 1_764_000_000.25, 250.0
    line = msgspec.json.decode(JsonFormatter(Secrets()).format(record))
    assert line["time"] == "2025-11-24T16:00:00.250Z"


def test_an_exception_is_one_field_of_the_one_line(lines: Lines) -> None:
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        log.exception("failed", extra={"event": "x"}, stack_info=True)
    line = lines.only()
    assert "ValueError: broken" in line["exception"]
    assert "Stack" in line["stack"]


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


LOOP: dict[str, Any] = {}
LOOP["again"] = LOOP
DEEP: list[Any] = []
for _ in range(2000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "odd",
    [
        float("nan"),
        float("-inf"),
        10**400,
        -(2**63) - 1,
        b"\xff\x00bytes",
        "\ud800 lone",
        "line\nbreak \u2028 \x00",
        {1: 2, (3, 4): 5, None: 6},
        {"a", "b"},
        frozenset({1}),
        object(),
        Unprintable(),
        ValueError("x"),
        LOOP,
        DEEP,
        Exception,
        1 + 2j,
        (1, [2, {"three": b"4"}]),
        True,
        None,
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_field_makes_one_valid_line(lines: Lines, odd: Any) -> None:
    log.info("odd", extra={"odd": odd, "nested": {"odd": odd}})
    line = lines.only()
    assert {"odd", "nested"} <= set(line)


@pytest.mark.parametrize(("value", "shown"), [(True, True), (3, 3), (1.5, 1.5), ([1, {"a": None}], [1, {"a": None}])])
def test_plain_values_stay_what_they_are(lines: Lines, value: Any, shown: Any) -> None:
    log.info("x", extra={"value": value})
    assert lines.only()["value"] == shown


def test_arguments_that_do_not_fit_cost_no_line() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "%d of %d", ("one",), None)
    line = msgspec.json.decode(JsonFormatter(Secrets()).format(record))
    assert line["message"] == "%d of %d (its arguments do not fit it)"


def test_a_field_cannot_pose_as_one_of_ours(lines: Lines) -> None:
    log.info("m", extra={"level": "critical", "logger": "other", "time": "never"})
    line = lines.only()
    assert (line["level"], line["logger"]) == ("info", "quotewire.test")
    assert line["time"] != "never"


SECRET = "s3cr3t-s3cr3t"


@pytest.mark.parametrize(
    "message",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization={SECRET}",
        f"GET /oauth2/token?grant_type=refresh_token&refresh_token={SECRET}&x=1",
        f"access_token: {SECRET}",
        f'{{"access_token": "{SECRET}", "expires_in": 1800}}',
        f'body was {{\\"refresh_token\\":\\"{SECRET}\\"}}',
        f"{{'token': '{SECRET}'}}",
        f"TOKEN = {SECRET}",
        "a client sent eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.s3cr3t-s3cr3t",
    ],
)
def test_no_pattern_of_a_secret_gets_through(lines: Lines, message: str) -> None:
    log.info("%s", message)
    log.info("m", extra={"detail": message, "nested": {"deep": [message, message.encode()]}})
    try:
        raise ValueError(message)
    except ValueError:
        log.exception("failed")
    assert "s3cr3t" not in lines.text
    assert lines.text.count(REDACTED) >= 5


@pytest.mark.parametrize(
    "name",
    ["token", "refreshToken", "access_token", "vault_key", "vaultKey", "Authorization", "set-cookie", "passPhrase"],
)
def test_no_field_of_a_secret_name_gets_through(lines: Lines, name: str) -> None:
    log.info("m", extra={name: SECRET, "headers": {name: [SECRET]}})
    assert "s3cr3t" not in lines.text
    assert lines.only()[name] == REDACTED


def test_names_that_only_sound_secret_are_shown(lines: Lines) -> None:
    log.info("m", extra={"token_state": "fresh", "token_age_s": 5})
    assert (lines.only()["token_state"], lines.only()["token_age_s"]) == ("fresh", 5)


@pytest.mark.parametrize("secret", ["plain-pass-phrase", 'with "quotes" and \\', "new\nline and é", "mitä😀kuuluu"])
def test_a_known_secret_gets_through_nowhere(lines: Lines, secret: str) -> None:
    lines.secrets.add(secret)
    log.info(
        "it is %s!", secret, extra={"a": secret, "b": {secret: [secret, secret.encode()]}, "c": ValueError(secret)}
    )
    line = lines.only()
    assert secret not in repr(line) + lines.text
    assert secret not in str(line["message"])
    assert line["message"] == f"it is {REDACTED}!"


def test_short_texts_are_no_known_secrets(lines: Lines) -> None:
    lines.secrets.add("a")
    log.info("banana")
    assert lines.only()["message"] == "banana"


def test_ordinary_prose_about_tokens_is_left_alone(lines: Lines) -> None:
    log.info("no token came in time; get a new token from /api-auth")
    assert REDACTED not in lines.text


def test_the_level_is_kept(lines: Lines) -> None:
    configure("warning", stream=lines.stream)
    log.info("not this")
    assert lines.text == ""
    assert logging.getLogger("httpx").getEffectiveLevel() == logging.WARNING


def test_each_line_names_its_process_where_there_are_several() -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, "hello", None, None)
    assert msgspec.json.decode(JsonFormatter(Secrets(), "worker 2").format(record))["process"] == "worker 2"
    assert "process" not in msgspec.json.decode(JsonFormatter(Secrets()).format(record))


def record(level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("quotewire.test", level, "", 0, "told", None, None)
    vars(made).update(extra)
    return made


def test_a_storm_of_one_event_is_thinned_out_and_counted() -> None:
    now = 5.0
    throttle = Throttle(2, clock=lambda: now)
    assert [throttle.filter(record(event="gone")) for _ in range(5)] == [True, True, False, False, False]
    assert throttle.filter(record(event="other"))
    now = 6.0
    after = record(event="gone")
    assert throttle.filter(after)
    assert vars(after)["suppressed"] == 3
    again = record(event="gone")
    assert throttle.filter(again)
    assert "suppressed" not in vars(again)


def test_warnings_and_lines_without_an_event_are_never_thinned_out() -> None:
    throttle = Throttle(1, clock=lambda: 5.0)
    assert all(throttle.filter(record(logging.WARNING, event="gone")) for _ in range(5))
    assert all(throttle.filter(record()) for _ in range(5))


def test_the_process_thins_out_its_own_lines(lines: Lines) -> None:
    for _ in range(300):
        log.info("a client", extra={"event": "client_gone"})
    assert 100 <= lines.text.count("\n") <= 200


def test_lines_of_a_storm_beyond_those_that_pass_are_not_made() -> None:
    now, made = 5.0, 0
    seen: list[logging.LogRecord] = []
    logger = logging.getLogger("quotewire.test.storm")
    logger.setLevel("INFO")

    def keep(kept: logging.LogRecord) -> bool:
        seen.append(kept)
        return True

    logger.addFilter(keep)
    many = ManyLines(logger, per_second=2, clock=lambda: now)

    def fields() -> dict[str, str]:
        nonlocal made
        made += 1
        return {"who": "ws-1"}

    for _ in range(5):
        many.info("gone", "client gone", fields, code=1000)
    many.info("other", "another", fields)
    assert (made, len(seen)) == (3, 3)
    now = 6.0
    many.info("gone", "client gone", fields)
    many.info("gone", "client gone", fields)
    told = [vars(each) for each in seen]
    assert [each["event"] for each in told] == ["gone", "gone", "other", "gone", "gone"]
    assert (told[0]["code"], told[0]["who"], told[0]["msg"]) == (
        1000,
        "ws-1",
        "client gone",
    )
    assert [each.get("suppressed") for each in told] == [None, None, None, 3, None]
    logger.setLevel("WARNING")
    many.info("gone", "client gone", fields)
    assert made == 5
