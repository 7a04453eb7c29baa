"""Symbols named in a query."""

import pytest

from quotewire.edge.answers import Refused
from quotewire.edge.queries import wanted


def test_names_and_ids_once_each_in_the_order_asked() -> None:
    assert wanted(" B, A,,B", "2,1,2") == (["B", "A"], [2, 1])
    assert wanted("", "7") == ([], [7])
    assert wanted("BRK.B,^GSPC", "") == (["BRK.B", "^GSPC"], [])


@pytest.mark.parametrize(
    ("symbols", "ids", "told"),
    [
        ("", "", "name the symbols wanted"),
        (",", " , ", "name the symbols wanted"),
        ("A" * 65, "", "symbols: "),
        ("A B", "", "symbols: "),
        ("\x00", "", "symbols: "),
        ("Ä", "", "symbols: "),
        ("", "0", "ids: "),
        ("", "01", "ids: "),
        ("", "1.0", "ids: "),
        ("", "٣", "ids: "),
        ("", str(2**53), "ids: "),
        ("A", ",".join(map(str, range(1, 1001))), "1000 symbols"),
    ],
)
def test_what_does_not_fit_is_refused(symbols: str, ids: str, told: str) -> None:
    with pytest.raises(Refused, match=told) as caught:
        wanted(symbols, ids)
    assert (caught.value.status, caught.value.code) == (400, "invalid_request")
