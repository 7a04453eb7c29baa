"""Every reason code of the upstream and what it means to an operator (R58).

The one list: docs/upstream.md is held to it, and no other code becomes the label of a metric.
"""

from collections.abc import Mapping
from typing import Final

from quotewire.upstream.chronicle import OTHER

MEANINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "The whole upstream": {
        "starting": "the gateway is starting",
        "logging_in": "no login has been used successfully yet",
        "idle": "logged in; no symbol is wanted",
        "streaming": "streams carry what is wanted, or are about to",
        "no_stream": "logged in, but no stream is up; it is being tried",
        "polling": "some symbols are carried by no stream and are asked for over REST",
        "no_persons": "no login is held: `quotewire persons add NAME`",
        "all_tokens_refused": "every login needs a new token: `quotewire persons list` says whose and why",
    },
    "Tokens and persons": {
        "startup": "the first exchange of a refresh token",
        "expiry": "the access token was about to end, or the login had not been used for a day",
        "access_refused": "Questrade refused the access token before its time; often another program refreshed it",
        "host_unreachable": "the API host did not answer; the next token may name another",
        "requested": "somebody asked for a refresh",
        "new_token": "a refresh token was taken over from `QUOTEWIRE_PERSONS`",
        "removed": "the person was removed",
        "untrusted_host": "the API host of the token is not allowed by `QUOTEWIRE_API_HOSTS`; it gets no token",
        "streaming_off": "the person's login may carry no stream (any more)",
        "streaming_on": "the person's login may carry a stream again",
    },
    "A stream": {
        "none": "nothing has happened yet",
        "connect_requested": "symbols were given to the stream",
        "disconnect_requested": "the stream has nothing to carry any more",
        "prepared": "its port is known",
        "opened": "its socket is open",
        "authenticated": "it is up",
        "backoff_over": "the wait is over",
        "prepare_timeout": "no token or port was to be had in time",
        "upgrade_timeout": "the socket did not open in time",
        "auth_timeout": "Questrade did not answer the token in time",
        "connection_lost": "it ended without a word, or could not be had",
        "closed_by_peer": "Questrade closed it with a code",
        "closed_for_good": "it was closed with a code that forbids to come back; never used towards Questrade",
        "token_refused": "Questrade refused the access token on the socket",
        "token_refreshed": "a new token is at hand",
        "refresh_requested": "a refresh was forced",
        "refresh_failed": "no new token could be made now",
        "refresh_timeout": "the refresh did not end in time",
        "rate_limited": "Questrade said: too many calls",
        "attempts_exhausted": "it failed many times in a row; it goes on being tried, once a minute or so",
        "mute": "no data for longer than its symbols' pace explains; asked for the same symbols again",
        "data_resumed": "data came after that",
        "zombie": "no data for far too long; opened anew",
        "pong_timeout": "a ping went unanswered; Questrade's streams are not pinged",
        "latency_poor": "answers to pings became slow; as above",
        "latency_recovered": "they are quick again; as above",
        "network_lost": "this machine has no network",
        "network_regained": "it has one again",
        "woke": "this machine slept",
        "nudged": "Questrade answered a call: the stream need not wait on",
        "poll_failed": "polls fail too; only in clients",
        "poll_recovered": "polls work again; only in clients",
        "evicted": "another program uses this login's stream again and again. End it, or leave the stream to it:"
        " `quotewire persons stream NAME off`. Until then the stream is tried less and less often",
        "token_rotated": "the access token was replaced; the stream moves to the new one",
        "symbols_changed": "it carries other symbols",
        "not_adopted": "new symbols showed no data in place; opened anew",
    },
    "Symbols": {
        "person_failed": "a person's stream failed and its symbols went to others",
        "doubled": "A/B: two logins can stream, each symbol is carried twice",
        "not_doubled": "A/B: fewer than two logins can stream, each symbol is carried once",
        "symbol_mute": "REST has a newer quote than the stream of one symbol; asked for again",
        "still_mute": "that did not help; its stream is opened anew",
        "stream_mute": "the stream says nothing and REST has newer quotes; opened anew",
        "gap": "symbols of which their stream, new or back, has not spoken were asked for over REST",
    },
    "Calls and breakers": {
        "upstream": "Questrade failed",
        "upstream_unavailable": "Questrade could not be reached, failed or did not answer in time",
        "upstream_refused": "Questrade refused the call",
        "row_unreadable": "one symbol's part of an answer could not be read; told once, the others are used",
        "access_token": "there is no usable access token now",
        "token_spent": "the refresh token is used up: `quotewire persons add NAME` with a new one",
        "too_many_failures": "an endpoint keeps failing for a person and is left alone for a while",
        "pause_over": "it is tried again",
        "probe_failed": "it still fails; left alone for longer",
        "probes_succeeded": "it works again",
    },
    "Anything else": {OTHER: "a code that is not in this list; please report it"},
}

KNOWN: Final[frozenset[str]] = frozenset(code for group in MEANINGS.values() for code in group)
