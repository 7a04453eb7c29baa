"""spec/PROTOCOL.md is held against the code: message types and fields, quotes, errors, close codes, verdicts."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from quotewire.market.quote import Freshness, Quote, Source
from quotewire.wire import messages
from quotewire.wire.codes import CLOSES, CLOSING, RETRYABLE, CloseCode, ErrorCode
from quotewire.wire.limits import SessionLimits

TEXT = (Path(__file__).parents[3] / "spec" / "PROTOCOL.md").read_text(encoding="utf-8")


def section(number: int) -> str:
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found.group()


def rows(number: int) -> Iterator[list[str]]:
    """The cells of the table of a section, without its head."""
    lines = [line for line in section(number).splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def fields_of(kind: Any) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def tag_of(kind: Any) -> str:
    return str(kind.__struct_config__.tag)


CLIENT = {tag_of(kind): kind for kind in get_args(messages.ClientMessage)}
SERVER = {tag_of(kind): kind for kind in get_args(messages.ServerMessage)}
ECHOED = {"requestId", "timestamp"}
DEFAULTS = {field.name: field.default for field in dataclasses.fields(SessionLimits)}


def test_the_tables_are_found() -> None:
    assert [len(list(rows(number))) for number in (3, 4, 5, 6, 7)] == [5, 8, 5, 19, 16]


def test_section_3_lists_every_client_message_and_its_fields() -> None:
    told = {names(row[0])[0]: row for row in rows(3)}
    assert set(told) == set(CLIENT)
    for tag, row in told.items():
        listed = set(names(row[1]))
        assert listed - ECHOED == fields_of(CLIENT[tag]) - ECHOED, tag


def test_section_3_names_an_answer_that_exists() -> None:
    for row in rows(3):
        assert set(names(row[2])) <= set(SERVER), row


def test_section_4_lists_every_server_message_and_its_fields() -> None:
    told = {names(row[0])[0]: row for row in rows(4)}
    assert set(told) == set(SERVER)
    for tag, row in told.items():
        listed = set(names(row[1]))
        assert listed - ECHOED == fields_of(SERVER[tag]) - ECHOED, tag


def test_results_and_the_upstream_have_the_fields_section_4_says() -> None:
    text = section(4)
    result = next(line for line in text.splitlines() if line.startswith("- A **result**"))
    assert fields_of(messages.SymbolResult) == set(re.findall(r'"(\w+)"', result))
    upstream = next(line for line in text.splitlines() if line.startswith("- **`upstream`**"))
    assert fields_of(messages.UpstreamState) == set(re.findall(r'"(\w+)"', upstream))


def test_section_5_lists_every_field_of_a_quote_and_its_values() -> None:
    text = section(5)
    questrade = names(text.partition("under Questrade's names (")[2].partition(")")[0])
    ours = [name for row in rows(5) for name in names(row[0])]
    assert len(questrade) > 15
    assert set(questrade) | set(ours) == fields_of(Quote)
    values = {names(row[0])[0]: names(row[1]) for row in rows(5)}
    assert set(values["freshness"]) == set(Freshness)
    assert set(values["source"]) == set(Source)


def test_section_6_lists_every_error_with_its_close_code_and_its_verdict() -> None:
    told = {ErrorCode(names(row[0])[0]): row for row in rows(6)}
    assert set(told) == set(ErrorCode)
    for code, (_, _, close, retryable) in told.items():
        assert close == (str(int(CLOSING[code])) if code in CLOSING else ""), code
        assert retryable.startswith("yes") == (code in RETRYABLE), code


def test_section_7_lists_every_close_code_with_its_verdict() -> None:
    told = {CloseCode(int(row[0])): row for row in rows(7)}
    assert set(told) == set(CloseCode)
    for code, row in told.items():
        assert row[2] == ("yes" if CLOSES[code].reconnect else "no"), code


def test_section_7_calls_every_close_code_what_the_code_calls_it() -> None:
    for row in rows(7):
        assert row[1].lower().replace(" ", "_") == CloseCode(int(row[0])).name.lower()


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        (r"(\d+) may wait for their answer", DEFAULTS["max_pending_commands"]),
        (r"(\d+) of them within a minute", DEFAULTS["max_errors"]),
        (r"text of at most (\d+) characters", 128),
        (r"`protocol` is not (\d+)", messages.PROTOCOL_VERSION),
    ],
)
def test_the_numbers_in_the_prose_are_those_of_the_code(sentence: str, value: int) -> None:
    found = re.search(sentence, TEXT)
    assert found
    assert int(found.group(1)) == value


def test_the_conversation_of_section_9_decodes() -> None:
    text = section(9).split("```")[1]
    text = re.sub(r", … \}", "}", text).replace("\n   ", "")
    for line in text.strip().splitlines():
        direction, _, body = line.partition(" ")
        if direction == ">":
            msgspec.json.decode(body, type=messages.ClientMessage)
        else:
            assert msgspec.json.decode(body)["type"] in SERVER
