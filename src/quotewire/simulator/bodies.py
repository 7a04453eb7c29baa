"""Canned bodies of broken answers. Pure; the wording is ours."""

from typing import Final

MAINTENANCE: Final = """<!DOCTYPE html>
<html><head><title>Maintenance</title></head>
<body><h1>We're making some changes</h1><p>This service is being maintained. Please try again later.</p></body></html>
"""
FORBIDDEN: Final = "<html><head><title>Forbidden</title></head><body><h1>Access denied</h1></body></html>\n"
TIMEOUT: Final = (
    "<html><head><title>524: a timeout occurred</title></head><body><h1>A timeout occurred</h1></body></html>\n"
)
HALF_GRANT: Final = '{"access_token":"kept-from-you","api_server":"http:\\/\\/127'
HALF_JSON: Final = '{"quotes":[{"symbol":"AAPL","symbolId":80'
BAD_REQUEST: Final = "Bad Request"
DEFAULT_AGENTS: Final = (
    "python-urllib",
    "python-requests",
    "python-httpx",
    "python/",
    "go-http-client",
    "okhttp",
    "java/",
)


def is_default_agent(agent: str | None) -> bool:
    """A User-Agent that a library sends when its user did not choose one, or none at all."""
    return not agent or agent.lower().startswith(DEFAULT_AGENTS)
