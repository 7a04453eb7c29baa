"""The Python SDK.

api                          what a user holds: connect, Client
stream                       the iterators: quotes, states
host, transport, rest        the shell: tasks and timers, one WebSocket, the HTTP paths
session, subscriptions       pure: the protocol and the connection machine; who wants what
mailbox, state, errors       pure: an iterator's queue; what can be seen; what is raised
"""
