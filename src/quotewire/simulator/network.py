"""All ports: the login, the control port, and API hosts that come and go, each with streaming ports of its own."""

import asyncio
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from quotewire.simulator.http import HttpPort
from quotewire.simulator.hub import NOTIFICATIONS, QUOTES, StreamHub
from quotewire.simulator.rest import Api
from quotewire.simulator.sockets import Ending
from quotewire.simulator.stream import Numbers, StreamPort
from quotewire.simulator.world import World

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
SHUTDOWN = Ending("shutdown", "code", 1001)


@dataclass(slots=True)
class ApiHost:
    """One API host: its HTTP port, its two streaming ports, and streaming ports it had before that still work."""

    http: HttpPort
    streams: dict[str, StreamPort]
    older: list[StreamPort] = field(default_factory=list)

    def ports(self) -> list[StreamPort]:
        """All its streaming ports."""
        return [*self.streams.values(), *self.older]

    async def stop(self, ending: Ending) -> None:
        """Close it for good; its sockets end as told."""
        await asyncio.gather(*(stream.stop(ending) for stream in self.ports()), self.http.stop())


class Network:
    """The ports and who listens on them."""

    def __init__(self, world: World, hub: StreamHub) -> None:
        self._world = world
        self._hub = hub
        self._numbers = Numbers()
        self._hosts: list[ApiHost] = []
        self._login: HttpPort | None = None
        self._control: HttpPort | None = None

    @property
    def login(self) -> HttpPort:
        """The login port."""
        assert self._login is not None, "the network has not started"
        return self._login

    @property
    def control(self) -> HttpPort:
        """The control port."""
        assert self._control is not None, "the network has not started"
        return self._control

    @property
    def current(self) -> ApiHost:
        """The API host that token answers name."""
        return self._hosts[-1]

    def api_root(self) -> str:
        """The root URL of the current API host."""
        return f"http://{self._world.config.url_host}:{self.current.http.port}"

    async def start(self, login: ASGIApp, control: ASGIApp) -> None:
        """Open every port."""
        config = self._world.config
        self._login = HttpPort("login", login, config.host, config.port)
        self._control = HttpPort("control", control, config.host, config.control_port)
        await self._login.start()
        await self._control.start()
        await self.add_host(config.api_port, config.stream_port)

    async def stop(self) -> None:
        """Close every port; sockets end with 1001."""
        await asyncio.gather(*(host.stop(SHUTDOWN) for host in self._hosts))
        for port in (self._login, self._control):
            if port is not None:
                await port.stop()

    async def add_host(self, api_port: int = 0, stream_port: int = 0) -> ApiHost:
        """Open another API host; token answers name it from now on."""
        streams = {
            QUOTES: StreamPort(self._world, self._hub, self._numbers, QUOTES, stream_port),
            NOTIFICATIONS: StreamPort(self._world, self._hub, self._numbers, NOTIFICATIONS, 0),
        }
        api = Api(self._world, lambda kind: streams[kind].port, self._hub.subscribe)
        app = Starlette(routes=[Route("/v1/{path:path}", api.serve, methods=METHODS)])
        host = ApiHost(HttpPort("API", app, self._world.config.host, api_port), streams)
        await host.http.start()
        self._hosts.append(host)  # before its streaming ports open, so that `stop` finds it
        for stream in streams.values():
            await stream.start()
        return host

    async def close_older_hosts(self) -> None:
        """Close every API host but the current one for good."""
        older, self._hosts = self._hosts[:-1], self._hosts[-1:]
        for host in older:
            await host.stop(Ending("host_closed", "abort"))

    async def change_ports(self, kind: str, drop: bool) -> None:
        """New streaming ports on the current host; with `drop` the old ones close and their sockets end."""
        for each in (QUOTES, NOTIFICATIONS) if kind == "any" else (kind,):
            older = self.current.streams[each]
            newer = StreamPort(self._world, self._hub, self._numbers, each, 0)
            await newer.start()
            self.current.streams[each] = newer
            if drop:
                await older.stop(Ending("fault:port_change"))
            else:
                self.current.older.append(older)

    async def down(self, parts: list[str]) -> None:
        """Refuse connections to these parts: login, api, stream."""
        if "login" in parts:
            await self.login.down()
        for host in self._hosts:
            if "api" in parts:
                await host.http.down()
            if "stream" in parts:
                for stream in host.ports():
                    await stream.down(Ending("down", "abort"))

    async def up(self) -> None:
        """Listen again wherever nobody listens, on the same ports."""
        await self.login.start()
        for host in self._hosts:
            await host.http.start()
            for stream in host.ports():
                await stream.start()
