"""quotewire: one Questrade login, any number of screens.

errors, settings                                       what everything stands on
market, resilience, wire                               pure rules: quotes and books, living with failure, the protocol
questrade, upstream                                    Questrade's wire; several people's logins as one source
hub, edge                                              who wants what and is owed what; the one port
telemetry, simulator, client, testing                  exporters; a Questrade to run against; the SDK; public fakes
app, cli                                               where it all meets
"""

__version__ = "0.1.0"
