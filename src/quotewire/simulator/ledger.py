"""What happened: token uses, calls, sockets, quotes sent. Bounded and plain, for `GET /control/stats`. Pure."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Final

from quotewire.simulator.rows import Change
from quotewire.simulator.tokens import fingerprint

RECENT: Final = 2_000
RECORDED: Final = 500_000  # quotes kept per person while recording

Sent = tuple[int, int, float | None, float | None, float | None, float]  # id, volume, bid, ask, last, simulated time


@dataclass(slots=True)
class Ledger:
    """The counts and the bounded lists. Times are real epoch seconds."""

    record: bool = False
    token_uses: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=RECENT))
    token_outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    token_flights: Counter[str] = field(default_factory=Counter)
    token_peaks: Counter[str] = field(default_factory=Counter)
    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=RECENT))
    calls_by_path: Counter[str] = field(default_factory=Counter)
    calls_by_status: Counter[str] = field(default_factory=Counter)
    calls_by_person: dict[str, Counter[str]] = field(default_factory=dict)
    streams: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=RECENT))
    streams_opened: Counter[str] = field(default_factory=Counter)
    streams_closed: Counter[str] = field(default_factory=Counter)
    quotes: dict[str, Counter[int]] = field(default_factory=dict)
    frames: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    muted: Counter[str] = field(default_factory=Counter)
    sent: dict[str, deque[Sent]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)

    def token_use(self, at: float, person: str | None, token: str, outcome: str, how: str) -> None:
        """A refresh token was presented. `how` is the method; the token is kept as a digest only."""
        self.token_uses.append(
            {"at": at, "person": person, "token": fingerprint(token), "outcome": outcome, "method": how}
        )
        self.token_outcomes.setdefault(person or "", Counter())[outcome] += 1

    def token_begins(self, person: str | None) -> None:
        """A login call begins. The most at once per person is kept: the real login is not made for two."""
        self.token_flights[person or ""] += 1
        self.token_peaks[person or ""] = max(self.token_peaks[person or ""], self.token_flights[person or ""])

    def token_ends(self, person: str | None) -> None:
        """A login call has been answered."""
        self.token_flights[person or ""] -= 1

    def call(
        self,
        at: float,
        person: str | None,
        method: str,
        path: str,
        route: str,
        status: int,
        code: int | None,
        fault: str | None,
    ) -> None:
        """A REST call was answered (status 599: its connection was cut). Counts go by route, the list has the path."""
        self.calls.append(
            {
                "at": at,
                "person": person,
                "method": method,
                "path": path,
                "status": status,
                "code": code,
                "fault": fault,
            }
        )
        self.calls_by_path[route] += 1
        self.calls_by_status[str(status)] += 1
        self.calls_by_person.setdefault(person or "", Counter())[route] += 1

    def stream(self, at: float, event: str, number: int, person: str | None, kind: str, reason: str = "") -> None:
        """A socket was `opened`, `authorized`, `subscribed` or `closed` (with the reason)."""
        self.streams.append({"at": at, "event": event, "id": number, "person": person, "kind": kind, "reason": reason})
        if event == "opened":
            self.streams_opened[kind] += 1
        if event == "closed":
            self.streams_closed[reason] += 1

    def frame(self, person: str, changes: list[Change]) -> None:
        """A frame of quotes goes out to a person."""
        self.frames[person] += 1
        counts = self.quotes.setdefault(person, Counter())
        for change in changes:
            counts[change.row.symbol_id] += 1
        if self.record:
            kept = self.sent.setdefault(person, deque(maxlen=RECORDED))
            for change in changes:
                row = change.row
                kept.append((row.symbol_id, row.volume, row.bid_price, row.ask_price, row.last_trade_price, change.at))

    def recording(self, on: bool) -> None:
        """Start or stop keeping the list of quotes sent; starting empties it."""
        self.record = on
        if on:
            self.sent.clear()

    def report(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "tokens": {
                "uses": list(self.token_uses),
                "outcomes": _nested(self.token_outcomes),
                "atOnce": dict(self.token_peaks),
            },
            "calls": {
                "byPath": dict(self.calls_by_path),
                "byStatus": dict(self.calls_by_status),
                "byPerson": _nested(self.calls_by_person),
                "recent": list(self.calls),
            },
            "streams": {
                "opened": dict(self.streams_opened),
                "closed": dict(self.streams_closed),
                "log": list(self.streams),
            },
            "quotes": {
                "sent": {who: {str(key): n for key, n in counts.items()} for who, counts in self.quotes.items()},
                "frames": dict(self.frames),
                "dropped": dict(self.dropped),
                "muted": dict(self.muted),
                "recording": self.record,
                "record": {who: list(rows) for who, rows in self.sent.items()},
            },
            "faultsUsed": dict(self.faults),
        }


def _nested(counts: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {who: dict(each) for who, each in counts.items()}
