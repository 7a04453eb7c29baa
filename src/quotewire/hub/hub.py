"""The hub: takes stamped quotes from upstream, gives each client what it is owed. Awaits nothing, opens nothing.

One owner: the event loop's thread. What is published is put in lanes, one for all clients that want the same, and
written in a round over the lanes that are owed something. Clients that cannot be served so have an outbox.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from quotewire.hub import joining
from quotewire.hub.client import Client, Send
from quotewire.hub.joining import Joined
from quotewire.hub.seats import Seats
from quotewire.hub.wants import added, has, is_fresh, removed
from quotewire.hub.window import SLICE_S, Window
from quotewire.market.history import History
from quotewire.market.quote import Quote
from quotewire.wire.codec import EncodedQuote
from quotewire.wire.messages import UpstreamState
from quotewire.wire.options import DEFAULT_OPTIONS, Cause, Gap, Options, Position

__all__ = ["Client", "Delivery", "Hub", "Joined"]

MAX_GATHERED = 4096
"""Updates gathered before they are written whatever the window says: it bounds what a lane can hold."""

MIN_DELAY_S = 0.001
"""What the event loop's timers can tell apart."""

TELL_S = 0.02
"""How long what changes bit by bit may gather before it is told what is wanted."""

NO_POSITIONS: Mapping[int, Position] = {}


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the hub delivers. `history_depth` updates of each of `history_symbols`; 0 of either: nobody can resume.

    `max_window_s` bounds how long updates are gathered under load, `ring_size` what a client in every-tick mode may
    be behind. `share` is how much of the time writing may take before updates are gathered.
    """

    max_window_s: float = 0.010
    ring_size: int = 4096
    history_depth: int = 64
    history_symbols: int = 2000
    share: float = 0.64


class Hub:
    """The latest quotes and their history, who wants what, and the round that writes."""

    def __init__(
        self,
        *,
        schedule: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float],
        on_wanted: Callable[[frozenset[int]], None],
        delivery: Delivery = Delivery(),
    ) -> None:
        """`schedule` runs a callback after so many seconds, in this thread; `clock` is monotonic, in seconds."""
        self._schedule = schedule
        self._clock = clock
        self._on_wanted = on_wanted
        self._latest: dict[int, EncodedQuote] = {}
        kept = delivery.history_depth and delivery.history_symbols
        self._history: History[EncodedQuote] | None = (
            History(depth=delivery.history_depth, max_symbols=delivery.history_symbols) if kept else None
        )
        self._window = Window(delivery.max_window_s, share=delivery.share)
        self._seats = Seats(ring_size=delivery.ring_size)
        self._clients: set[Client] = set()
        self._gathered = 0
        self._flush_scheduled = False
        self._flush_due = 0.0
        self._sweep_scheduled = False
        self._tell_scheduled = False
        self._wake_at: float | None = None
        self._told: frozenset[int] = frozenset()
        self._round_began = 0.0
        self._round_s = 0.0
        self.told_upstream: UpstreamState | None = None
        self.updates = 0
        self.stale = 0

    # --- clients ---

    @property
    def clients(self) -> frozenset[Client]:
        """The clients attached now."""
        return frozenset(self._clients)

    def attach(self, client: Client) -> None:
        """A client has authenticated."""
        self._clients.add(client)

    def detach(self, client: Client) -> None:
        """A client is gone."""
        self._clients.discard(client)
        self._tell_later(changed=self._seats.vacate(client))
        self._sweep_later()

    def join(
        self,
        client: Client,
        symbol_ids: Iterable[int],
        options: Options = DEFAULT_OPTIONS,
        positions: Mapping[int, Position] = NO_POSITIONS,
        *,
        more: bool | None = None,
    ) -> Joined:
        """`client` wants these from now on, so; returns what to send it before anything that is live.

        Nothing can come between: what it was owed is written first, and all happens in one step of one thread. To be
        asked of a client that is blocked too: an older quote must not follow the snapshot.

        `more`, where these are a part of what it asked for at once: whether another part follows.
        """
        seats = self._seats
        ids = seats.same(symbol_ids)
        seats.pay_before(client, ids, self._clock(), leaving=False)
        joined = joining.join(client.form, ids, options, positions, self._latest.get, self._history)
        wants = seats.wants(client)
        if more is None or (not (fresh := is_fresh(wants, ids)) and not has(wants, ids, options)) or joined.awaited:
            self._tell_wanted(changed=seats.seat(client, added(wants, ids, options), awaited=joined.awaited))
        else:
            changed = seats.grow(client, ids, options) if fresh else False
            if not more:
                changed = seats.settle_grown(client) or changed
            self._tell_later(changed=changed)
        self._sweep_later()
        return joined

    def leave(self, client: Client, symbol_ids: Collection[int]) -> None:
        """`client` wants these no more. What it is owed of them is written first, if its socket takes it."""
        self._seats.pay_before(client, symbol_ids, self._clock(), leaving=True)
        self._tell_wanted(changed=self._seats.seat(client, removed(self._seats.wants(client), symbol_ids)))
        self._sweep_later()

    def pay(self, client: Client) -> None:
        """Write at once what `client` is owed, if its socket takes it: nothing of it may follow what comes next."""
        self._seats.pay_before(client, (), self._clock(), leaving=True)

    def rewire(self, client: Client, send: Send, sink: object = None) -> None:
        """The client is written to by `send`, to that sink, from now on."""
        client.send, client.sink = send, sink
        if client.lane is not None:
            client.lane.rewire()

    def block(self, client: Client) -> None:
        """The client's socket takes no more for now."""
        self._seats.block(client, self._clock())
        self._sweep_later()

    def unblock(self, client: Client) -> None:
        """The client's socket takes data again: it is written what it is owed."""
        now = self._clock()
        if client.outbox is not None:
            client.outbox.unblock(now)
            self._seats.pay(client, now)
            self._wake_later()

    def settle(self, client: Client) -> None:
        """Let a client that keeps up again share what others get. To be called now and then."""
        if client.outbox is not None:
            self._seats.settle(client, self._clock())
            self._sweep_later()

    # --- quotes ---

    def publish(self, quotes: Iterable[Quote]) -> None:
        """Take updates from upstream, oldest first."""
        now = self._clock()
        # What every update costs is mostly this loop: what does not change in it is looked up before.
        latest, history = self._latest, self._history
        audience_of, deliver = self._seats.audience_of, self._seats.deliver
        for quote in quotes:
            symbol_id = quote.symbol_id
            update, base, hole = EncodedQuote(quote), latest.get(symbol_id), None
            if base is not None:
                if update.sequence != base.sequence + 1 and update.epoch == base.epoch:
                    if update.sequence <= base.sequence:
                        self.stale += 1
                        continue
                    hole = _hole(update, base)
                base.shed()
            latest[symbol_id] = update
            self.updates += 1
            if history is not None:
                history.add(update)
            audience = audience_of(symbol_id)
            if audience is not None:
                deliver(audience, update, base, hole, now)
                self._gathered += 1
                if self._gathered >= MAX_GATHERED:
                    self._write_all()
        if self._gathered and not self._flush_scheduled:
            self._flush_later(now, now)

    def flush(self) -> None:
        """Let every client that is owed something have it: in one go, or slice by slice where that takes long."""
        self._flush_scheduled = False
        began = self._clock()
        try:
            # Whoever had to wait for others, such as an upstream that brings much, writes for as long as it waited.
            self._slice(began, length_s=max(SLICE_S, began - self._flush_due - MIN_DELAY_S))
        finally:  # a defect met on the way is not the others': they are owed theirs
            now = self._clock()
            if self._seats.in_round:
                self._flush_later(now, self._round_began)
            elif self._gathered:
                self._flush_later(now, now)

    def forget(self, symbol_ids: Iterable[int]) -> None:
        """The upstream follows these no longer: what is known of them grows old and is dropped."""
        for symbol_id in symbol_ids:
            self._latest.pop(symbol_id, None)

    def latest(self, symbol_id: int) -> Quote | None:
        """The newest quote of a symbol, if any was published."""
        encoded = self._latest.get(symbol_id)
        return None if encoded is None else encoded.quote

    def known(self) -> list[Quote]:
        """The newest quotes of all symbols."""
        return [encoded.quote for encoded in self._latest.values()]

    def tell_upstream(self, state: UpstreamState) -> None:
        """Tell every client that the upstream changed."""
        self.told_upstream = state
        for client in tuple(self._clients):
            client.tell_upstream(state)

    def counters(self) -> dict[str, int]:
        """Numbers that only grow, and are read in no time."""
        tally = self._seats.tally
        return {
            "updates": self.updates,
            "updates_stale": self.stale,
            "deliveries": tally.frames,
            "bytes": tally.bytes,
        }

    def stats(self) -> dict[str, int | float]:
        """Plain numbers for the gauges. Walks all outboxes and all that is kept."""
        seats, tally = self._seats, self._seats.tally
        outboxes = list(seats.outboxes)
        kept = self._history.stats() if self._history is not None else None
        return {
            **self.counters(),
            "clients": len(self._clients),
            "symbols_wanted": len(seats.wanted()),
            "symbols_known": len(self._latest),
            "lanes": seats.lanes,
            "clients_apart": len(outboxes),
            "clients_waiting": sum(outbox.blocked for outbox in outboxes),
            "updates_waiting": sum(map(len, outboxes)),
            "updates_skipped": tally.skipped + sum(outbox.total_skipped for outbox in outboxes),
            "updates_gapped": tally.gapped + sum(outbox.gapped for outbox in outboxes),
            "window_s": self._window.opened_s,
            "round_s": self._round_s,
            "history_symbols": kept.symbols if kept is not None else 0,
            "history_updates": kept.updates if kept is not None else 0,
        }

    # --- how ---

    def _tell_wanted(self, *, changed: bool) -> None:
        if changed:
            wanted = self._seats.wanted()
            if wanted != self._told:
                self._told = wanted
                self._on_wanted(wanted)

    def _tell_later(self, *, changed: bool) -> None:
        """Tell what is wanted in a moment, when more has changed: whoever hears of it looks at everything."""
        if changed and not self._tell_scheduled:
            self._tell_scheduled = True
            self._schedule(TELL_S, self._tell)

    def _tell(self) -> None:
        self._tell_scheduled = False
        self._tell_wanted(changed=True)

    def _sweep_later(self) -> None:
        if not (self._seats.tidy or self._sweep_scheduled):
            self._sweep_scheduled = True
            self._schedule(0.0, self._sweep)

    def _sweep(self) -> None:
        self._sweep_scheduled = False
        self._tell_later(changed=self._seats.sweep())
        self._sweep_later()

    def _flush_later(self, now: float, waiting_since: float) -> None:
        pause = self._window.pause(now, waiting_since)
        self._flush_scheduled, self._flush_due = True, now + pause
        self._schedule(pause, self.flush)

    def _slice(self, began: float, *, length_s: float) -> None:
        """Go on with the round over the clients, or begin one."""
        if not self._seats.in_round:
            self._round_began = began
            self._gathered = 0
            self._seats.begin_round(began)
        done = self._seats.go_round(self._clock, began + length_s)
        ended = self._clock()
        self._window.worked(began, ended)
        if done:
            self._round_s = ended - self._round_began
            self._wake_later()

    def _write_all(self) -> None:
        """Finish the round there may be, and do a whole one."""
        for _ in range(2 if self._seats.in_round else 1):
            self._slice(self._clock(), length_s=float("inf"))

    def _wake_later(self) -> None:
        due = self._seats.wheel.next_due()
        if due is None or (self._wake_at is not None and self._wake_at <= due):
            return
        self._wake_at = due
        self._schedule(max(due - self._clock(), MIN_DELAY_S), self._wake)

    def _wake(self) -> None:
        self._wake_at = None
        self._seats.due(self._clock())
        self._wake_later()


def _hole(update: EncodedQuote, base: EncodedQuote) -> Gap:
    """What is missing between two updates of one epoch."""
    since, until = base.quote.received_at, update.quote.received_at
    first, last = base.sequence + 1, update.sequence - 1
    return Gap(update.quote.symbol, update.symbol_id, update.epoch, first, last, since, until, Cause.UPSTREAM)
