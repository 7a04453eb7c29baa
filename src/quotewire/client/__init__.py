"""The Python SDK.

api                          what a user holds: connect, Client
sync                         the same from ordinary threads: connect_sync, SyncClient
stream                       the iterators: quotes, states
host, transport, rest        the shell: tasks and timers, one WebSocket, the HTTP paths
session, line                pure: the protocol and the connection machine, two of them during a move
subscriptions, entries       pure: who wants what, and where each symbol stands
asking, wishes, moves        pure: what to send for it; how it is to come; another connection before this one closes
encoding, deltas             pure: messages to bytes and back; changes to whole quotes
mailbox, state, errors       pure: an iterator's queue; what can be seen; what is raised
"""
