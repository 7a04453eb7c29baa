"""The simulator as one object: `async with Simulator(SimulatorConfig()) as sim`."""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.routing import Route

from quotewire.market.calendar import hours
from quotewire.simulator import notices, options, universe
from quotewire.simulator.acts import Acts
from quotewire.simulator.candles import CandleMaker
from quotewire.simulator.chance import Chance
from quotewire.simulator.clock import MarketClock, TorontoText, start_time, toronto_date
from quotewire.simulator.config import SimulatorConfig
from quotewire.simulator.control import Control, control_routes
from quotewire.simulator.faultlist import FAULTS
from quotewire.simulator.faults import ActiveFault, FaultBook, Seam
from quotewire.simulator.hub import NOTIFICATIONS, StreamHub
from quotewire.simulator.ledger import Ledger
from quotewire.simulator.limits import Limiter
from quotewire.simulator.market import Market, MarketPlan
from quotewire.simulator.network import Network
from quotewire.simulator.oauth import Login
from quotewire.simulator.sockets import Extra
from quotewire.simulator.subscriptions import Subscriptions
from quotewire.simulator.tokens import TokenDesk
from quotewire.simulator.world import World

CHECK_EVERY_S: Final = 0.25
CHANGES_A_TICK: Final = 2_000  # a market that outruns the machine falls behind its clock instead of blocking the rest
TOKEN_LENGTH: Final = 33
_LOG: Final = logging.getLogger("quotewire.simulator")
ACTING: Final = frozenset({Seam.NOW, Seam.MARKET, Seam.DOWN})


class Simulator:
    """A Questrade on loopback ports. Use as an async context manager; all times and tokens are its own."""

    def __init__(self, config: SimulatorConfig | None = None) -> None:
        self.config = config or SimulatorConfig()
        self.world = _world(self.config)
        self.refresh_tokens: dict[str, str] = {
            person: self.world.desk.issue(person, self.world.real_now()) for person in self.config.persons
        }
        self._hub = StreamHub(self.world)
        self._network = Network(self.world, self._hub)
        self._acts = Acts(self.world, self._hub, self._network)
        self._pump_task: asyncio.Task[None] | None = None
        self._began = time.monotonic()

    async def __aenter__(self) -> "Simulator":
        login = Login(self.world, self._network.api_root, lambda person: self._hub.check())
        control = control_routes(Control(self))
        routes = [
            Route("/oauth2/token", login.token, methods=["GET", "POST"]),
            Route("/oauth2/revoke", login.revoke, methods=["GET", "POST"]),
            *control,
        ]
        try:
            await self._network.start(Starlette(routes=routes), Starlette(routes=control))
        except BaseException:
            await self._network.stop()
            raise
        self._pump_task = asyncio.create_task(self._pump(), name="simulator-pump")
        return self

    async def run(self) -> None:
        """Wait for ever; raises if the market stops of itself."""
        assert self._pump_task is not None, "the simulator has not started"
        await asyncio.shield(self._pump_task)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pump_task is not None:
            self._pump_task.cancel()
            await asyncio.gather(self._pump_task, return_exceptions=True)
        await self._network.stop()

    # -- where it is

    @property
    def login_url(self) -> str:
        """The login's root URL."""
        return f"http://{self.config.url_host}:{self._network.login.port}"

    @property
    def control_url(self) -> str:
        """The root of the control paths, on a port that no fault takes down."""
        return f"http://{self.config.url_host}:{self._network.control.port}/control"

    @property
    def api_url(self) -> str:
        """The root URL of the API host that token answers name now."""
        return self._network.api_root()

    # -- what can be done to it

    async def fault(
        self,
        name: str,
        *,
        person: str | None = None,
        count: int | None = None,
        seconds: float | None = None,
        **params: Any,
    ) -> dict[str, Any]:
        """Put a fault in force. Raises FaultError for an unknown name, person, parameter or symbol.

        `count` uses it up after so many hits, `seconds` ends it. Returns its summary with `hit`: what it hit at once.
        """
        spec, values = self.world.faults.check(name, person, params)
        if "symbols" in values:
            values["symbols"] = self.world.ids(values["symbols"])
        fault = self.world.faults.add(
            spec, self.world.monotonic(), person=person, count=count, seconds=seconds, params=values
        )
        hit = 0
        if spec.seams & ACTING:
            hit = await self._act(fault, lasting=count is not None or seconds is not None)
        self.world.ledger.faults[name] += 1
        return {**fault.summary(), "hit": hit}

    async def clear(self, name: str | None = None, person: str | None = None) -> int:
        """End faults (all, or those of a name and person); what they did is taken back. How many there were."""
        gone = self.world.faults.clear(name, person)
        for fault in gone:
            await self._acts.undo(fault)
        return len(gone)

    def issue_token(self, person: str) -> str:
        """A new refresh token, as the person would make one by hand. Raises FaultError for an unknown person."""
        self.world.faults.check("token_500", person, {})
        self.refresh_tokens[person] = self.world.desk.issue(person, self.world.real_now())
        return self.refresh_tokens[person]

    def record(self, on: bool = True) -> None:
        """Start (afresh) or stop keeping the ordered list of quotes sent."""
        self.world.ledger.recording(on)

    def notify(self, person: str, orders: list[dict[str, Any]], executions: list[dict[str, Any]] | None) -> int:
        """Send an order message, and with `executions` an execution message. How many sockets it went to."""
        self.world.faults.check("token_500", person, {})
        message = notices.message(self.world, person, orders, executions)
        sessions = self._hub.sessions(person, NOTIFICATIONS)
        for session in sessions:
            session.push(Extra(msgspec.json.encode(message)))
        return len(sessions)

    def stats(self, record: bool = True) -> dict[str, Any]:
        """What has happened since the start, ready for JSON. Without `record` the recorded quotes are left out."""
        report = self.world.ledger.report()
        if not record:
            report["quotes"].pop("record")
        report["streams"]["open"] = [
            {"id": each.number, "person": each.person, "kind": each.kind, "owed": len(each.owed)}
            for each in self._hub.sessions()
        ]
        return {
            "time": self.world.text(self.world.market_now()),
            "uptimeS": round(time.monotonic() - self._began, 3),
            "seed": self.config.seed,
            "symbols": len(self.world.universe.listings),
            "persons": list(self.config.persons),
            "apiServer": f"{self.api_url}/",
            "marketChanges": self.world.market.changes,
            "marketLagS": round(max(0.0, self.world.market_now() - self.world.market.now), 3),
            "subscriptions": {who: list(ids) for who, ids in self.world.subscriptions.asked.items()},
            "faults": [each.summary() for each in self.world.faults.active],
            **report,
        }

    # -- how it runs

    async def _act(self, fault: ActiveFault, *, lasting: bool) -> int:
        """Carry out a fault that acts at once; it stays in force only if it lasts or has uses left."""
        hit = await self._acts.begin(fault)
        book = self.world.faults
        if Seam.NOW in fault.spec.seams:
            if not lasting or "kind" not in fault.spec.params_by_name:
                book.drop(fault)
            else:
                book.use(fault, hit)
        elif fault.spec.name == "resume":
            book.drop(fault)
        return hit

    async def _pump(self) -> None:
        """Move the market, end faults whose time is over, end sockets whose token is over."""
        try:
            await self._pump_forever()
        except Exception:
            _LOG.critical("the simulator's market has stopped", exc_info=True)
            raise

    async def _pump_forever(self) -> None:
        checked = 0.0
        behind = False
        while True:
            await asyncio.sleep(0 if behind else self.config.tick_s)
            changes = self.world.market.advance(self.world.market_now(), CHANGES_A_TICK)
            behind = len(changes) >= CHANGES_A_TICK
            self._hub.publish(changes)
            now = self.world.monotonic()
            for fault in self.world.faults.expire(now):
                await self._acts.undo(fault)
            if now - checked >= CHECK_EVERY_S:
                checked = now
                self._hub.check()


def _world(config: SimulatorConfig) -> World:
    def chance_for(key: str) -> Chance:
        return random.Random(f"{config.seed}:{key}")  # noqa: S311 - a market, not a secret

    start = start_time(config.start, time.time(), hours)
    clock = MarketClock(start, config.speed, time.monotonic)
    base = universe.build(config.symbols)
    chains = options.contracts([each for each in base.listings if each.has_options], toronto_date(start))
    names = universe.Universe(base.listings, (*base.extras, *(each.listing for each in chains)))
    return World(
        config=config,
        universe=names,
        market=Market(names, MarketPlan(start, config.rate, config.halts_per_day), chance_for, hours),
        candles=CandleMaker(chance_for, TorontoText()),
        contracts=chains,
        desk=TokenDesk(
            lambda: _mint(config.token_alphabet),
            expires_in=config.expires_in,
            refresh_life_s=config.refresh_token_days * 86_400,
            refresh_kills_access=config.refresh_kills_access,
        ),
        limiter=Limiter(),
        faults=FaultBook(FAULTS, frozenset(config.persons)),
        ledger=Ledger(record=config.record),
        subscriptions=Subscriptions(config.second_get),
        market_now=clock.now,
        real_now=time.time,
        monotonic=time.monotonic,
    )


def _mint(alphabet: str) -> str:
    if alphabet == "urlsafe":
        return secrets.token_urlsafe(TOKEN_LENGTH)[:TOKEN_LENGTH]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(secrets.choice(letters) for _ in range(TOKEN_LENGTH - 3)) + "+/="


def ready(sim: Simulator) -> Mapping[str, Any]:
    """What `quotewire simulate` prints when it is ready."""
    return {
        "login_url": sim.login_url,
        "control_url": sim.control_url,
        "persons": {person: {"refresh_token": token} for person, token in sim.refresh_tokens.items()},
        "seed": sim.config.seed,
        "symbols": len(sim.world.universe.listings),
    }
