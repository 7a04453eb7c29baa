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
from quotewire.wire.capabilities import Capability
from quotewire.wire.codes import CLOSES, CLOSING, RETRYABLE, CloseCode, ErrorCode
from quotewire.wire.limits import SessionLimits
from quotewire.wire.options import ALWAYS, Cause, Gap, Mode
from quotewire.wire.wishes import MAX_RATE, MIN_RATE

TEXT = (Path(__file__).parents[3] / "spec" / "PROTOCOL.md").read_text(encoding="utf-8")


EDGE = Path(__file__).parents[3] / "src" / "quotewire" / "edge"
HANDSHAKE = Path(__file__).parents[3] / "src" / "quotewire" / "wire" / "handshake.py"


def section(number: int) -> str:
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found.group()


def rows(number: int, table: int = 0) -> Iterator[list[str]]:
    """The cells of a table of a section, the first unless told otherwise, without its head."""
    tables = re.findall(r"(?:^ *\|.*\n)+", section(number), re.MULTILINE)
    for line in tables[table].splitlines()[2:]:
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
    assert [len(list(rows(number))) for number in (2, 3, 4, 5, 6, 7)] == [3, 5, 10, 5, 24, 17]


def test_section_2_lists_the_subprotocols() -> None:
    told = [name for row in rows(2) for name in names(row[2])]
    assert told == [messages.SUBPROTOCOL_JSON, messages.SUBPROTOCOL_MSGPACK]


def test_section_2_lists_every_refusal() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (HANDSHAKE, *EDGE.glob("*.py")))
    made = {(status, code) for status, code in re.findall(r'Refusal\(\s*(\d+),\s*"(\w+)"', source)}
    assert made
    assert {(row[0], names(row[1])[0]) for row in rows(2, 1)} == made


def test_section_2_lists_every_capability() -> None:
    listed = [name for row in rows(2, 2) for name in names(row[0])]
    assert sorted(listed) == sorted(Capability)
    always = names(section(2).partition("Without a list, only ")[2].partition(" are sent")[0])
    assert {*always, Capability.GAP, Capability.RECONNECT} == set(SERVER)


def test_section_3_lists_how_a_symbol_is_delivered() -> None:
    told = {names(row[0])[0]: row for row in rows(3, 1)}
    assert set(told) == fields_of(messages.Subscribe) - ECHOED - {"symbols", "ids", "resume"}
    assert names(told["fields"][1]) == list(ALWAYS)
    assert re.findall(r"[\d.]+", told["maxRate"][1])[:2] == [f"{MIN_RATE:g}", f"{MAX_RATE:g}"]
    assert names(told["mode"][1]) == list(Mode)
    assert names(told["mode"][2]) == [messages.Subscribe().mode]


def test_section_4_lists_what_a_gap_has_and_every_cause() -> None:
    line = next(line for line in section(4).splitlines() if line.startswith("- **`gap`**"))
    assert re.findall(r'"(\w+)"', line) == [field.encode_name for field in msgspec.structs.fields(Gap)]
    assert [names(row[0])[0] for row in rows(4, 1)] == list(Cause)


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
