/**
 * Reason codes of the gateway as people read them: clauses that say why something is as it is. Codes that mean different
 * things in different events have a line for the event too. tests/unit/edge/test_web_reasons.py holds this list against
 * the gateway's own.
 */

const SENTENCES: Readonly<Record<string, string>> = {
  // The upstream as a whole.
  starting: "the gateway is starting",
  logging_in: "logging in at Questrade",
  no_persons: "no person's login is held: add one with quotewire persons add NAME",
  all_tokens_refused: "every login was refused: new tokens are needed, the upstream panel says whose",
  idle: "logged in; no symbol is asked for now",
  streaming: "quotes come over live streams",
  polling: "no stream for some symbols; they are asked for at intervals",
  no_stream: "logged in, but no stream can be had now; trying again",
  owner_lost: "the part of the gateway that speaks with Questrade ended; it is being started again",

  // A stream's connection.
  none: "nothing has happened yet",
  connect_requested: "symbols are wanted",
  disconnect_requested: "no symbols are wanted of this login",
  prepared: "the way to the stream is known",
  opened: "the socket is open",
  authenticated: "Questrade accepted the token",
  backoff_over: "the wait is over; trying again",
  prepare_timeout: "a token or a streaming port could not be had in time",
  upgrade_timeout: "the socket did not open in time",
  auth_timeout: "Questrade did not answer the token in time",
  connection_lost: "the connection broke off",
  closed_by_peer: "Questrade closed the stream",
  closed_for_good: "the other side said not to come back",
  token_refused: "Questrade refused the token",
  token_refreshed: "a new token was made",
  refresh_requested: "a new token was asked for",
  refresh_failed: "a new token could not be made",
  refresh_timeout: "a new token was not made in time",
  rate_limited: "Questrade said: too many requests",
  attempts_exhausted: "every quick attempt failed; trying more seldom",
  mute: "the stream has gone silent; watching it",
  data_resumed: "data come again",
  zombie: "the stream was silent for too long; opening it anew",
  pong_timeout: "no answer to a ping",
  latency_poor: "answers take too long",
  latency_recovered: "answers are quick again",
  network_lost: "the gateway's machine has no network",
  network_regained: "the gateway's machine has its network back",
  woke: "the gateway's machine was asleep",
  nudged: "there is news; not waiting any longer",
  poll_failed: "asking at intervals fails too",
  poll_recovered: "asking at intervals works again",

  // Tokens, and symbols between persons.
  startup: "at the start of the gateway",
  expiry: "the token was about to expire",
  "token.idle": "the login was not used for long; kept alive",
  access_refused: "Questrade refused the access token",
  host_unreachable: "the API host cannot be reached; the next token may name another",
  untrusted_host: "the API host is not one of those allowed",
  requested: "somebody asked for it",
  new_token: "a new token was given",
  removed: "the person was removed",
  person_failed: "a person's stream failed; others take over",
  person_healed: "a person's stream works again",
  wanted_changed: "other symbols are wanted",
  token_rotated: "a token was replaced",
  symbols_changed: "the stream's symbols have changed",
  streaming_off: "this person carries no stream, as set",
  streaming_on: "this person may carry a stream again",
  not_adopted: "the stream did not take the new symbols; opening it anew",
  evicted: "another program uses this login's stream; trying again less and less often",
  doubled: "each symbol is carried by two streams",
  not_doubled: "fewer than two logins can stream; each symbol is carried once",
  gap: "no data for a while; what was missed was asked for",

  // Silent streams and symbols.
  stream_mute: "the stream says nothing while Questrade has newer quotes; opening it anew",
  symbol_mute: "a symbol moves elsewhere but not on its stream; asking for it anew",
  still_mute: "a symbol stays silent; opening its stream anew",

  // Breakers.
  too_many_failures: "it kept failing; left alone for a while",
  pause_over: "the pause is over; trying one call",
  probe_failed: "it still fails; left alone for longer",
  probes_succeeded: "it works again",

  // Failed calls.
  upstream: "Questrade failed",
  upstream_unavailable: "Questrade could not be reached or did not answer in time",
  upstream_refused: "Questrade refused the call",
  row_unreadable: "one symbol's part of an answer could not be read",
  token_spent: "the refresh token is used up; a new one is needed",
  access_token: "no usable access token now",
};

/** The clause for `code`; the code itself where there is none. `event` is the kind of event it came with, if any. */
export function reasonText(code: string, event = ""): string {
  const special = `${event}.${code}`;
  if (Object.hasOwn(SENTENCES, special)) return SENTENCES[special] as string;
  return Object.hasOwn(SENTENCES, code) ? (SENTENCES[code] as string) : code;
}
