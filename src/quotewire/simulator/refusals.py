"""Questrade's error codes with their HTTP status and text. Pure.

Texts seen on the wire: 1002, 1003, 1016, 1017, 1024 (see the facts in docs/simulator.md); the others are invented.
"""

from typing import Final

CODES: Final[dict[int, tuple[int, str]]] = {
    1001: (404, "Invalid endpoint"),
    1002: (400, "Invalid or malformed argument: {}"),
    1003: (400, "Argument length exceeds imposed limit"),
    1004: (400, "Missing required argument: {}"),
    1005: (413, "Request body is too large"),
    1006: (429, "Too many requests"),
    1007: (500, "Business error in the back end"),
    1008: (500, "Technical error in the back end"),
    1009: (500, "Unexpected error in the back end"),
    1010: (502, "The back end is down or its answer is invalid"),
    1011: (503, "The back end is not available"),
    1012: (405, "Method not allowed"),
    1013: (400, "The request is not application/json"),
    1014: (401, "Authorization header is missing"),
    1015: (400, "Authorization header is malformed"),
    1016: (403, "Request is out of allowed OAuth scopes"),
    1017: (401, "Access token is invalid"),
    1018: (404, "Account not found"),
    1019: (404, "Symbol not found"),
    1020: (404, "Order not found"),
    1021: (500, "Undefined error"),
    1024: (400, "The size of the array requested is not valid: {}"),
}
MAX_BODY_BYTES: Final = 65_536


class Refusal(Exception):
    """An answer that is an error: raised by a handler, written by the shell."""

    def __init__(self, code: int, argument: str = "", *, message: str = "") -> None:
        self.code = code
        self.status, text = CODES.get(code, (500, "Undefined error"))
        self.message = message or text.format(argument)
        super().__init__(f"{code}: {self.message}")

    def body(self) -> dict[str, object]:
        """The error object; `code` is an int, as captured (the documentation says text)."""
        return {"code": self.code, "message": self.message}
