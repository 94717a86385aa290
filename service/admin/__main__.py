"""`python -m service.admin add-user|set-password|reset-totp EMAIL`: who may sign in, from where the database can be
reached."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import peewee as pw

from service.admin.access import accounts
from service.config import Config, ConfigError
from service.database import bind, connection, writing
from service.faults import headline
from service.models import EDITOR, OWNER, VIEWER

ROLES = (VIEWER, EDITOR, OWNER)
ACTIONS = {
    "add-user": "A new user, with a password that is shown only this once.",
    "set-password": "A new password, shown only this once. It ends their sessions, and any lock.",
    "reset-totp": "No second step at the sign-in any more, for somebody who has lost their telephone.",
}


def main(words: Sequence[str] | None = None) -> int:
    """0 done, 1 refused, 2 not possible: as `migrate` does. The password is on stdout, and nowhere else."""
    asked = _parser().parse_args(words)
    try:
        config = Config.from_env()
        bind(config.database_url, application="slipway-accounts")
        with connection() as database, writing(database):
            said = _do(asked)
    except accounts.Refused as refusal:
        return _problem(str(refusal), 1)
    except ConfigError as error:
        return _problem(str(error), 2)
    except pw.PeeweeException as error:
        return _problem(f"{config.database_url} can't be used: {headline(error)}; see `migrate status`.", 2)
    sys.stdout.write(f"{said}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service.admin", description="Who may sign in to the panel.")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, meaning in ACTIONS.items():
        action = actions.add_parser(name, help=meaning, description=meaning)
        action.add_argument("email")
        if name == "add-user":
            action.add_argument("--role", choices=ROLES, default=OWNER, help="what they may do (else: %(default)s)")
    return parser


def _do(asked: argparse.Namespace) -> str:
    email = accounts.normalise(asked.email)
    if asked.action == "reset-totp":
        accounts.reset_totp(email)
        return f"Panel user {email} signs in with the password alone."
    password = accounts.add(email, asked.role) if asked.action == "add-user" else accounts.renew_password(email)
    return f"Panel user {email}. The password, shown only this once: {password}"


def _problem(sentence: str, code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
