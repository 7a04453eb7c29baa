"""Entity tags of quotes: what changes them, and the weak comparison."""

import pytest

from quotewire.edge.conditional import tag_of, unchanged
from quotewire.market.quote import Freshness
from tests.wire_samples import quote

ONE, TWO = quote(1, 5), quote(2, 9)
TAG = tag_of([ONE, TWO], [])
MISSING = {"symbol": "NOPE", "code": "unknown_symbol"}


def test_a_tag_is_weak_and_the_same_for_the_same() -> None:
    assert TAG.startswith('W/"')
    assert TAG.endswith('"')
    assert tag_of([quote(1, 5, received_at=ONE.received_at + 7), TWO], []) == TAG


@pytest.mark.parametrize(
    "other",
    [
        tag_of([TWO, ONE], []),
        tag_of([ONE], []),
        tag_of([quote(1, 6), TWO], []),
        tag_of([quote(1, 5, epoch=ONE.epoch + 1), TWO], []),
        tag_of([quote(1, 5, freshness=Freshness.STALE), TWO], []),
        tag_of([ONE, TWO], [MISSING]),
    ],
)
def test_whatever_is_told_changes_it(other: str) -> None:
    assert other != TAG


@pytest.mark.parametrize("known", [TAG, TAG[2:], f'"a", {TAG}', f'{TAG},"b"', "*", " * ", f'W/"", {TAG}'])
def test_the_client_has_it(known: str) -> None:
    assert unchanged(known, TAG)


@pytest.mark.parametrize("known", ["", '""', '"a"', TAG[3:-1], TAG.upper(), '"*"', "nonsense", '"' * 1000])
def test_the_client_has_something_else(known: str) -> None:
    assert not unchanged(known, TAG)
