"""All ports: the login, the control port, and API hosts that come and go, each with streaming ports of its own."""

from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from quotewire.simulator.http import HttpPort
from quotewire.simulator.hub import NOTIFICATIONS, QUOTES, Ending, StreamHub
from quotewire.simulator.rest import Api
from quotewire.simulator.stream import Numbers, StreamPort
from quotewire.simulator.world import World

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
SHUTDOWN = Ending("shutdown", "code", 1001)


@dataclass(slots=True)
class ApiHost:
    """One API host: its HTTP port and its two streaming ports."""

    http: HttpPort
    streams: dict[str, StreamPort]

    def port_of(self, kind: str) -> int:
        """The streaming port of a kind."""
        return self.streams[kind].port


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
        for host in self._hosts:
            for stream in host.streams.values():
                await stream.down(SHUTDOWN)
            await host.http.stop()
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
        for stream in streams.values():
            await stream.start()
        self._hosts.append(host)
        return host

    async def close_older_hosts(self) -> None:
        """Take down every API host but the current one."""
        for host in self._hosts[:-1]:
            for stream in host.streams.values():
                await stream.down(Ending("host_closed", "abort"))
            host.http.down()

    async def change_ports(self, kind: str, drop: bool) -> None:
        """New streaming ports on the current host; with `drop` the old ones close and their sockets end."""
        for each in (QUOTES, NOTIFICATIONS) if kind == "any" else (kind,):
            older = self.current.streams[each]
            newer = StreamPort(self._world, self._hub, self._numbers, each, 0)
            await newer.start()
            self.current.streams[each] = newer
            if drop:
                await older.down(Ending("fault:port_change"))
            else:
                self._hosts[0].streams[f"{each}:{older.port}"] = older  # kept, so that it is closed in the end

    async def down(self, parts: list[str]) -> None:
        """Refuse connections to these parts: login, api, stream."""
        if "login" in parts:
            self.login.down()
        for host in self._hosts:
            if "api" in parts:
                host.http.down()
            if "stream" in parts:
                for stream in host.streams.values():
                    await stream.down(Ending("down", "abort"))

    async def up(self) -> None:
        """Listen again wherever nobody listens, on the same ports."""
        await self.login.start()
        for host in self._hosts:
            await host.http.start()
            for stream in host.streams.values():
                await stream.start()
