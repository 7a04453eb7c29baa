"""`quotewire persons`: whose logins the gateway uses. A running gateway notices changes within a second or two.

A token is typed at a prompt or read from standard input, never an argument: arguments are seen by everyone on the
machine and kept by shells.
"""

import argparse
import asyncio
import contextlib
import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from quotewire import settings as settings_module
from quotewire.errors import ConfigurationError
from quotewire.questrade.tokens import Token, advice
from quotewire.settings import PERSON_NAME, Settings
from quotewire.upstream.redeemer import Ending, Errand
from quotewire.upstream.spawn import exchange
from quotewire.upstream.vault import Vault

NAME: Final = "persons"
HELP: Final = "manage the people whose logins the gateway uses"
LONGEST_TOKEN: Final = 512


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`list`, `add NAME`, `remove NAME`, `refresh NAME`, `stream NAME on|off|default`."""
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    listing = actions.add_parser("list", help="show everybody: state, expiry, API server, last error")
    listing.add_argument("--json", action="store_true", help="print one JSON array")
    adding = actions.add_parser("add", help="store a refresh token, read from a prompt or from standard input")
    adding.add_argument("name", help="a name of your choice; an existing person's token is replaced")
    removing = actions.add_parser("remove", help="forget a person and their tokens")
    removing.add_argument("name")
    refreshing = actions.add_parser("refresh", help="exchange a person's token now")
    refreshing.add_argument("name")
    streaming = actions.add_parser("stream", help="whether a person's login may carry a stream")
    streaming.add_argument("name")
    streaming.add_argument(
        "choice",
        choices=("on", "off", "default"),
        help="a stream freezes that person's other platforms; off spares them",
    )


def run(args: argparse.Namespace) -> int:
    """Do one action on the vault of QUOTEWIRE_DATA_DIR."""
    chosen = settings_module.load(os.environ)
    actions: dict[str, Callable[[Settings, argparse.Namespace], int]] = {
        "list": _list,
        "add": _add,
        "remove": _remove,
        "refresh": _refresh,
        "stream": _stream,
    }
    return actions[args.action](chosen, args)


def _list(chosen: Settings, args: argparse.Namespace) -> int:
    with _vault(chosen) as vault:
        said = vault.streaming()
        rows = [_row(person, token) for person in vault.persons() if (token := vault.get(person)) is not None]
    for row in rows:
        row["streaming"] = said.get(row["name"], row["name"] not in chosen.no_stream)
    if args.json:
        print(json.dumps(rows))
    elif not rows:
        print(f"no persons are stored in {chosen.data_dir}; add one with: quotewire persons add NAME")
    for row in rows if not args.json else ():
        off = "" if row["streaming"] else ", streaming off"
        print(f"{row['name']}: {row['state']}, {row['access']}, {row['apiServer'] or 'no API server yet'}{off}")
        for key in ("lastError", "advice"):
            if row[key]:
                print(f"    {row[key]}")
    return 0


def _add(chosen: Settings, args: argparse.Namespace) -> int:
    if not PERSON_NAME.fullmatch(args.name):
        raise ConfigurationError(f"{args.name!r} is no person's name: use letters, digits, dots, dashes, underlines")
    token = _read_token(args.name)
    with _vault(chosen) as vault:
        known = vault.get(args.name) is not None
        vault.add(args.name, token)
    print(f"{args.name}: the refresh token was {'replaced' if known else 'stored'}; a running gateway takes it up")
    return 0


def _remove(chosen: Settings, args: argparse.Namespace) -> int:
    with _vault(chosen) as vault:
        if not vault.remove(args.name):
            return _unknown(args.name)
    told = f"{args.name}: removed"
    if args.name in chosen.persons:
        told += "; they are named in QUOTEWIRE_PERSONS too, so the next start takes them in again"
    print(told)
    return 0


def _refresh(chosen: Settings, args: argparse.Namespace) -> int:
    with _vault(chosen) as vault:
        token = vault.get(args.name)
        if token is None:
            return _unknown(args.name)
        errand = Errand(
            data_dir=str(vault.data_dir),
            master_key=vault.master_key,
            person=args.name,
            login_url=chosen.login_url,
            seen_obtained_at=token.obtained_at,
        )
        report = asyncio.run(exchange(errand))
        after = vault.get(args.name)
    if report.ending in (Ending.GRANTED, Ending.ALREADY) and after is not None:
        print(f"{args.name}: refreshed; {_row(args.name, after)['access']}")
        return 0
    print(f"quotewire persons: {args.name} was not refreshed ({report.ending}): {report.reason}", file=sys.stderr)
    return 1


def _stream(chosen: Settings, args: argparse.Namespace) -> int:
    with _vault(chosen) as vault:
        if vault.get(args.name) is None:
            return _unknown(args.name)
        vault.set_streaming(args.name, {"on": True, "off": False, "default": None}[args.choice])
        allowed = vault.streaming().get(args.name, args.name not in chosen.no_stream)
    print(f"{args.name}: streaming is {'on' if allowed else 'off'}; a running gateway follows within some seconds")
    return 0


@contextlib.contextmanager
def _vault(chosen: Settings) -> Iterator[Vault]:
    with contextlib.closing(Vault.open(chosen.data_dir, chosen.vault_key)) as vault:
        yield vault


def _read_token(person: str) -> str:
    if sys.stdin.isatty():
        token = getpass.getpass(f"Refresh token of {person} (from Questrade's App Hub; not shown): ").strip()
    else:
        token = sys.stdin.readline().strip()
    if not token or len(token) > LONGEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError("that is no refresh token: it has to be one line of printable characters, no spaces")
    return token


def _row(person: str, token: Token) -> dict[str, Any]:
    """What may be shown of a login."""
    left = token.expires_at - time.time()
    access = "no access token yet" if not token.expires_at else f"access token expired {_when(token.expires_at)}"
    if left > 0:
        access = f"access token until {_when(token.expires_at)}"
    return {
        "name": person,
        "state": token.state.value,
        "access": access,
        "expiresAt": int(token.expires_at * 1000) or None,
        "obtainedAt": int(token.obtained_at * 1000) or None,
        "apiServer": token.api_server,
        "lastError": token.last_error,
        "advice": advice(person, token),
    }


def _when(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _unknown(person: str) -> int:
    print(f"quotewire persons: there is no person named {person}; see: quotewire persons list", file=sys.stderr)
    return 1
