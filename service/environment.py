"""The one reader of os.environ. It imports next to nothing, since a deploy without work can afford no more."""

import os
from collections.abc import Mapping

DATABASE_URL = "sqlite:///data/slipway.db"
MIGRATIONS_DIR = "migrations"
# A direct connection for migrations, under the names that hosting platforms give it.
MIGRATION_URLS = ("MIGRATION_DATABASE_URL", "DIRECT_URL", "DATABASE_URL_UNPOOLED")
TRUE, FALSE = {"true", "1", "yes"}, {"false", "0", "no"}


class ConfigError(Exception):
    """A setting that can't be used. The message names the variable and never repeats a secret."""


def variables() -> Mapping[str, str]:
    return os.environ


class Environment:
    """Reads one variable at a time; an empty value counts as not set, as Compose passes it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str) -> str:
        return self._environ.get(name, "").strip() or default

    def secret(self, name: str) -> str:
        """The variable itself, else the contents of the file that NAME_FILE points to, else nothing."""
        path = self.text(f"{name}_FILE", "")
        if self.text(name, "") or not path:
            return self.text(name, "")
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123  # pathlib takes longer to import
                return file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ConfigError(f"{name}_FILE points to {path}, which can't be read: {reason}.") from None

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name, str(default)).lower()
        if value not in TRUE | FALSE:
            raise ConfigError(f"{name} is {value!r}; use true, false, 1, 0, yes or no.")
        return value in TRUE

    def migration_url(self) -> str:
        """The text of the URL that migrations use."""
        given = (self.secret(name) for name in (*MIGRATION_URLS, "DATABASE_URL"))
        return next(filter(None, given), DATABASE_URL)
