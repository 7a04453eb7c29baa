"""The token endpoint: one refresh token in, an outcome of the token machine out. Sends once, never repeats.

The token goes in the body of a POST: a URL would end up in logs, and some libraries repeat a GET when the connection
breaks. What an answer means (Questrade's own, where known):

=============================================  =========================================================
answer                                         outcome
=============================================  =========================================================
200 with the five fields                       Granted
400 `Bad Request`                              Refused: used, expired or revoked
429, 403, 5xx, a page of HTML                  Declined: something answered, and the token was not taken
504, 524, silence, a broken answer             Lost: it may have been spent
no connection                                  Unsent
=============================================  =========================================================
"""

import time
from typing import Final

import httpx
import msgspec

from quotewire.questrade.http import make_client
from quotewire.questrade.refusals import refusal
from quotewire.questrade.tokens import Declined, Grant, Granted, Lost, Outcome, Refused, Unsent

TOKEN_PATH: Final = "/oauth2/token"  # noqa: S105  a path, not a secret
ORIGIN_SILENT: Final = frozenset({504, 524})
"""A proxy answering for a login server that did not: the token may have reached it."""


class _Answer(msgspec.Struct):
    access_token: str
    refresh_token: str
    api_server: str
    expires_in: float


async def redeem(login_url: str, refresh_token: str, *, answer_s: float) -> Outcome:
    """Send a refresh token once. `answer_s` bounds each wait for part of the answer, the caller bounds the whole."""
    async with make_client(login_url, read_s=answer_s) as client:
        try:
            form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
            answer = await client.post(login_url + TOKEN_PATH, data=form)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            return Unsent(f"the login server cannot be reached ({_told(error)})")
        except httpx.HTTPError as error:
            return Lost(f"the login server gave no whole answer ({_told(error)})")
    return judge(answer.status_code, answer.headers, answer.content, time.time())


async def probe(login_url: str, *, answer_s: float) -> bool:
    """Whether the token endpoint answers as it should, asked without a token, which costs nothing.

    A healthy one refuses that with 400 `Bad Request`.
    """
    async with make_client(login_url, read_s=answer_s) as client:
        try:
            answer = await client.post(login_url + TOKEN_PATH, data={"grant_type": "refresh_token"})
        except httpx.HTTPError:
            return False
    return answer.status_code == 400 and not _is_page(answer.content)


def judge(status: int, headers: httpx.Headers, body: bytes, now: float) -> Outcome:
    """What an answer of the token endpoint means; `now` is epoch seconds."""
    if status == 200:
        return _judge_success(body, now)
    if status == 400 and not _is_page(body):
        return Refused(
            "Questrade answered 'Bad Request': the refresh token was used before, has expired or was revoked"
        )
    if status in ORIGIN_SILENT:
        return Lost(f"the login server did not answer in time (HTTP {status})")
    error = refusal(status, headers, body, now)
    return Declined(f"the login server did not take it: {error}", getattr(error, "retry_after_s", 0.0))


def _judge_success(body: bytes, now: float) -> Outcome:
    if _is_page(body):
        return Declined("the login server showed a page instead of an answer; it may be down for maintenance")
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Lost("the login server's answer cannot be read")
    if not answer.access_token or not answer.refresh_token:
        return Lost("the login server's answer has an empty token")
    return Granted(now, Grant(answer.access_token, answer.refresh_token, answer.api_server, answer.expires_in))


def _is_page(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def _told(error: httpx.HTTPError) -> str:
    return type(error).__name__
