"""`python -m service.admin add-user|set-password EMAIL`: who may sign in, from where the database can be reached."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import peewee as pw

from service.admin import accounts
from service.config import Config, ConfigError
from service.database import bind, connection, writing
from service.faults import headline

ACTIONS = {"add-user": accounts.add, "set-password": accounts.renew_password}


def main(words: Sequence[str] | None = None) -> int:
    """0 done, 1 refused, 2 not possible: as `migrate` does. The password is on stdout, and nowhere else."""
    parser = argparse.ArgumentParser(prog="python -m service.admin", description="Who may sign in to the panel.")
    parser.add_argument("action", choices=ACTIONS, help="either way a new password is shown, only this once")
    parser.add_argument("email")
    asked = parser.parse_args(words)
    try:
        config = Config.from_env()
        bind(config.database_url, application="slipway-accounts")
        with connection() as database, writing(database):
            password = ACTIONS[asked.action](asked.email)
    except accounts.Refused as refusal:
        return _problem(str(refusal), 1)
    except ConfigError as error:
        return _problem(str(error), 2)
    except pw.PeeweeException as error:
        return _problem(f"{config.database_url} can't be used: {headline(error)}; see `migrate status`.", 2)
    sys.stdout.write(f"Panel user {accounts.normalise(asked.email)}. The password, shown only this once: {password}\n")
    return 0


def _problem(sentence: str, code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
