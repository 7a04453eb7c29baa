"""Faults that act at once: on the market, on what is open, on the ports. Each is a method named after its fault."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from quotewire.simulator.faults import ActiveFault, Seam
from quotewire.simulator.hub import QUOTES, Session, StreamHub
from quotewire.simulator.limits import EVERYONE, Category
from quotewire.simulator.network import Network
from quotewire.simulator.rows import Change
from quotewire.simulator.sockets import Ending, Extra
from quotewire.simulator.stream import ending_of
from quotewire.simulator.world import World

FAULT_OWNER: Final = "fault"

GARBAGE: Final = {
    "text": Extra(b"this is not JSON"),
    "binary": Extra(bytes(range(256)), "binary"),
    "json": Extra(b'{"unexpected":[1,2,3],"quotes":{"symbolId":"eight"}}'),
    "half": Extra(b'{"quotes":[{"symbol":"AAPL","symbolId":80'),
    "utf8": Extra(b'{"quotes":"\xff\xfe\xfa"}'),
    "raw": Extra(b"\xff\xff\x00\x00 no WebSocket frame", "raw"),
}


@dataclass(slots=True)
class Acts:
    """Carries out faults of the seams NOW, MARKET and DOWN, and takes back those that can be."""

    world: World
    hub: StreamHub
    network: Network

    async def begin(self, fault: ActiveFault) -> int:
        """Carry a fault out. How many things it hit."""
        name = fault.spec.name
        acts: dict[str, Callable[[ActiveFault], Awaitable[int]]] = {
            "access_expired": self._access_expired,
            "refresh_expired": self._refresh_expired,
            "api_host_change": self._api_host_change,
            "hour_spent": self._hour_spent,
            "evict": self._evict,
            "stream_garbage": self._garbage,
            "burst": self._burst,
            "huge_frame": self._huge_frame,
            "port_change": self._port_change,
            "halt": self._halt,
            "resume": self._resume,
            "down": self._down,
        }
        return await acts.get(name, self._end_sockets)(fault)

    async def undo(self, fault: ActiveFault) -> None:
        """Take back what lasts: a halt, an outage."""
        if fault.spec.name == "halt":
            for each in sorted(fault.params["symbols"]):
                self.hub.publish(self.world.market.resume(each, FAULT_OWNER))
        elif fault.spec.name == "down" and not self._still_refused():
            await self.network.up()

    async def _end_sockets(self, fault: ActiveFault) -> int:
        ending = ending_of(fault.spec.name, fault.params, self.hub)
        hit = self._hit(fault)
        for session in hit:
            if ending is not None:
                session.end(ending)
        return len(hit)

    async def _evict(self, fault: ActiveFault) -> int:
        config, hit = self.world.config, self._hit(fault)
        for session in hit:
            session.end(Ending("evicted", config.evict_style, config.evict_code))
        return len(hit)

    async def _access_expired(self, fault: ActiveFault) -> int:
        self.world.desk.expire_access(fault.person)
        sessions = self.hub.sessions(fault.person)
        for session in sessions:
            session.outlives_token = not fault.params["streams"]
        self.hub.check()
        return len(sessions)

    async def _refresh_expired(self, fault: ActiveFault) -> int:
        self.world.desk.expire_refresh(fault.person)
        return 1

    async def _api_host_change(self, fault: ActiveFault) -> int:
        await self.network.add_host()
        if fault.params["old"] == "close":
            await self.network.close_older_hosts()
        return 1

    async def _hour_spent(self, fault: ActiveFault) -> int:
        persons = [fault.person] if fault.person else list(self.world.config.persons)
        for person in persons:
            category = Category(fault.params["category"])
            payer = person if self.world.config.limit_scope == "person" else EVERYONE
            self.world.limiter.spend_hour(payer, category, self.world.real_now(), fault.params["left"])
        return len(persons)

    async def _garbage(self, fault: ActiveFault) -> int:
        hit = self._hit(fault)
        for session in hit:
            session.push(GARBAGE[fault.params["shape"]])
        return len(hit)

    async def _burst(self, fault: ActiveFault) -> int:
        total = 0
        for _ in range(fault.params["rounds"]):
            changes = self.world.market.burst(fault.params["symbols"] or None)
            self.hub.publish(changes)
            total += len(changes)
        return total

    async def _huge_frame(self, fault: ActiveFault) -> int:
        hit = self.hub.sessions(fault.person, QUOTES)
        for session in hit:
            rows = [self.world.market.row(each) for each in sorted(self.world.subscriptions.carried(session.person))]
            bodies = [Change(self.world.market.now, row).body for row in rows if row is not None]
            if bodies:
                wanted = [bodies[index % len(bodies)] for index in range(fault.params["quotes"])]
                session.push(Extra(b'{"quotes":[' + b",".join(wanted) + b"]}"))
        return len(hit)

    async def _port_change(self, fault: ActiveFault) -> int:
        await self.network.change_ports(fault.params["kind"], fault.params["drop"])
        return 1

    async def _halt(self, fault: ActiveFault) -> int:
        changes = [change for each in sorted(fault.params["symbols"]) for change in self._halted(each)]
        self.hub.publish(changes)
        return len(changes)

    async def _resume(self, fault: ActiveFault) -> int:
        symbols = fault.params["symbols"]
        halts = [each for each in self.world.faults.active if each.spec.name == "halt"]
        wanted = symbols or frozenset(each for halt in halts for each in halt.params["symbols"])
        changes = [change for each in sorted(wanted) for change in self.world.market.resume(each, FAULT_OWNER)]
        for halt in halts:
            if halt.params["symbols"] <= wanted:
                self.world.faults.drop(halt)
        self.hub.publish(changes)
        return len(changes)

    async def _down(self, fault: ActiveFault) -> int:
        parts = fault.params["parts"]
        if fault.person is None and fault.params["mode"] == "refuse":
            await self.network.down(parts)
        if "stream" in parts:
            for session in self.hub.sessions(fault.person):
                session.end(Ending("down", "abort"))
        return 1

    def _halted(self, symbol_id: int) -> list[Change]:
        return self.world.market.halt(symbol_id, FAULT_OWNER)

    def _hit(self, fault: ActiveFault) -> list[Session]:
        return self.hub.sessions(fault.person, fault.params["kind"])

    def _still_refused(self) -> bool:
        standing: list[Any] = self.world.faults.standing(Seam.DOWN, None, self.world.monotonic())
        return any(each.person is None and each.params["mode"] == "refuse" for each in standing)
