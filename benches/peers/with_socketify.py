"""socketify, the Python binding of uWebSockets: its topics, published to from the feed."""

import sys

from feed import follow
from socketify import App, CompressOptions, OpCode

app = App()


def opened(socket: object) -> None:
    socket.subscribe("all")  # type: ignore[attr-defined]


def publish(payload: bytes) -> None:
    app.publish("all", payload, OpCode.TEXT)


async def started() -> None:
    await follow(int(sys.argv[1]), publish)


app.ws("/ws", {"compression": CompressOptions.DISABLED, "idle_timeout": 0, "open": opened, "max_backpressure": 0})
app.on_start(started)
app.listen({"port": 0, "host": "127.0.0.1"}, lambda config: print(config.port, flush=True))
app.run()
