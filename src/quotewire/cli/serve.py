"""`quotewire serve`: the gateway, set by the environment alone."""

import argparse
import os

from quotewire import app, settings
from quotewire.telemetry import logs

NAME = "serve"
HELP = "run the gateway, set by environment variables (docs/settings.md)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`serve` takes none: see `settings.VARIABLES`."""


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    chosen = settings.load(os.environ)
    secrets = logs.configure(chosen.log_level)
    for secret in (chosen.vault_key, *chosen.persons.values()):
        if secret is not None:
            secrets.add(secret)
    app.run(app.serve(chosen))
    return 0
