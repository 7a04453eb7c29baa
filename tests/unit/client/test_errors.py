"""What the SDK raises reads as sentences and keeps the facts."""

from quotewire.client.errors import SymbolError, describe
from quotewire.errors import ClientError
from quotewire.wire.codes import ErrorCode
from quotewire.wire.messages import SymbolResult


def test_a_symbol_error_names_each_symbol_once() -> None:
    results = [
        SymbolResult(ok=False, symbol="NOPE", code=ErrorCode.UNKNOWN_SYMBOL, reason="Questrade knows no symbol NOPE"),
        SymbolResult(ok=False, symbol_id=7, code=ErrorCode.NOT_QUOTABLE),
        SymbolResult(ok=False, symbol="X", reason="there is none"),
    ]
    error = SymbolError(results)
    assert str(error) == "Questrade knows no symbol NOPE; 7: not_quotable; X: there is none"
    assert error.results == tuple(results)
    assert isinstance(error, ClientError)


def test_a_verdict_without_a_reason_is_still_a_sentence() -> None:
    assert describe(SymbolResult(ok=False, symbol="X")) == "X: refused without a reason"
