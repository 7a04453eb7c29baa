"""`quotewire serve`: the gateway, set by the environment."""

import argparse
import os

from quotewire import process, settings
from quotewire.errors import ConfigurationError
from quotewire.telemetry import logs

NAME = "serve"
HELP = "run the gateway, set by environment variables (docs/settings.md)"

MOST_WORKERS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many processes; everything else is in the environment, see `settings.VARIABLES`."""
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that serve clients, before QUOTEWIRE_WORKERS"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    chosen = settings.load(os.environ)
    workers = chosen.workers if args.workers is None else args.workers
    if not 1 <= workers <= MOST_WORKERS:
        raise ConfigurationError(f"--workers: {workers} is not valid; it accepts a number, 1 to {MOST_WORKERS}")
    secrets = logs.configure(chosen.log_level, process="parent" if workers > 1 else "")
    for secret in (chosen.vault_key, chosen.admin_token, chosen.token_key, *chosen.persons.values()):
        if secret is not None:
            secrets.add(secret)
    # What only the one or the other needs is not brought into both.
    if workers == 1:
        from quotewire import app

        process.run(app.serve(chosen))
        return 0
    from quotewire.workers import parent

    return parent.run(chosen, workers)
