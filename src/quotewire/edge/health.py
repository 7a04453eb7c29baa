"""Whether quotes can be served live, and if not, why: for `/ready`, the metrics, and the log when it changes."""

import asyncio
import logging

from quotewire.edge.services import Services

CONNECTED = "connected"

log = logging.getLogger("quotewire.edge.health")


def unready(services: Services) -> list[str]:
    """Why quotes cannot be served live now, in sentences; empty when they can."""
    reasons: list[str] = []
    state = services.upstream.state
    persons = services.upstream.persons()
    if services.gate.draining:
        reasons.append("the gateway is stopping")
    if not persons:
        reasons.append("no person's login is held: set QUOTEWIRE_PERSONS or run `quotewire persons add NAME`")
    elif not any(person.is_active for person in persons):
        reasons.append("no person's login works now")
        reasons += [f"{person.name}: {person.last_error}" for person in persons if person.last_error]
    if persons and state.state != CONNECTED:
        reasons.append(f"the upstream is {state.state}: {state.reason}")
    return reasons


async def watch(services: Services) -> None:
    """Log each change of readiness, with the reasons, looking every HEALTH_CHECK_INTERVAL; until cancelled."""
    told: list[str] | None = None
    while True:
        reasons = unready(services)
        if told is None or bool(reasons) != bool(told):
            level = logging.WARNING if reasons and told is not None else logging.INFO
            message = "; ".join(reasons) if reasons else "quotes can be served live"
            log.log(level, message, extra={"event": "unready" if reasons else "ready", "reasons": reasons})
        told = reasons
        await asyncio.sleep(services.settings.health_check_interval_ms / 1000)
