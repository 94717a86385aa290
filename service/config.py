"""The settings of every process, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from service import environment
from service.environment import ConfigError
from service.url import ROOT, BadUrl, DatabaseUrl, parse

__all__ = ["Config", "ConfigError", "RunnerConfig"]

_SECRETS = {"api_keys", "mcp_servers", "secret_key", "lasting_key", "admin_password", "telegram_bot_token"}


class RunnerConfig(NamedTuple):
    """What `migrate` goes by. A mistake in what is not here is told by the process that it concerns."""

    database_url: DatabaseUrl
    migration_database_url: DatabaseUrl
    migrations_dir: Path
    models: str
    names_models: bool
    seeder: str
    run_migrations: bool
    release: str
    database_wait: float
    gate_wait: float

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> RunnerConfig:
        """Read every setting; ConfigError names the first variable that can't be used."""
        env = _Environment(environment.variables() if environ is None else environ)
        database_url = env.url("DATABASE_URL", environment.DATABASE_URL)
        return cls(
            database_url=database_url,
            migration_database_url=env.first_url(environment.MIGRATION_URLS) or database_url,
            migrations_dir=ROOT / env.text("MIGRATIONS_DIR", environment.MIGRATIONS_DIR),
            models=env.text("MIGRATIONS_MODELS", "service.models"),
            names_models=bool(env.text("MIGRATIONS_MODELS", "")),
            seeder=env.text("MIGRATIONS_SEED", "service.seed:run"),
            run_migrations=env.flag("RUN_MIGRATIONS", default=False),
            release=env.text("RELEASE", ""),
            database_wait=env.number("DATABASE_WAIT", 30.0),
            gate_wait=env.number("SCHEMA_WAIT", 60.0),
        )

    @property
    def has_models(self) -> bool:
        """Whether the models go with the folder: where nobody names any, they are the service's, as its folder is."""
        own = ROOT / environment.MIGRATIONS_DIR
        return self.names_models or self.migrations_dir.resolve() == own.resolve()


class Config(NamedTuple):
    """What panel and worker go by; they show what the runner does, and where."""

    database_url: DatabaseUrl
    migration_database_url: DatabaseUrl
    migrations_dir: Path
    secret_key: str
    lasting_key: str  # SECRET_KEY, or nothing where each start makes another
    admin_email: str
    admin_password: str
    secure_cookies: bool | None  # None: where the request came over HTTPS
    trusted_proxies: int
    telegram_bot_token: str
    telegram_api_base: str
    telegram_chatbot: int | None
    telegram_groups: str
    telegram_webhook_url: str
    lease_seconds: float
    answer_seconds: float
    bind_host: str
    worker_port: int
    retention_days: int | None
    api_keys: Mapping[str, str]
    provider_urls: tuple[str, ...]
    mcp_servers: str
    log_level: str
    log_format: str
    api_rate_limit: int

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self._asdict().items() if name not in _SECRETS]
        return f"Config({', '.join(shown)})"

    def secrets(self) -> tuple[str, ...]:
        """What must not stand in a log, whoever writes it there."""
        passwords = [url.libpq().get("password", "") for url in (self.database_url, self.migration_database_url)]
        given = (self.secret_key, self.admin_password, self.telegram_bot_token, *self.api_keys.values(), *passwords)
        return tuple(secret for secret in given if secret)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, runner: RunnerConfig | None = None) -> Config:
        """Read every setting, or those of the runner from where it has them; ConfigError names the first bad one."""
        env = _Environment(environment.variables() if environ is None else environ)
        runner = runner or RunnerConfig.from_env(environ)
        return cls(
            database_url=runner.database_url,
            migration_database_url=runner.migration_database_url,
            migrations_dir=runner.migrations_dir,
            secret_key=env.secret("SECRET_KEY") or os.urandom(32).hex(),
            lasting_key=env.secret("SECRET_KEY"),
            admin_email=env.email("ADMIN_EMAIL"),
            admin_password=env.secret("ADMIN_PASSWORD"),
            secure_cookies=env.flag_or_auto("SECURE_COOKIES"),
            trusted_proxies=env.small_number("TRUSTED_PROXIES", 0, most=9),
            telegram_bot_token=env.secret("TELEGRAM_BOT_TOKEN"),
            telegram_api_base=env.address("TELEGRAM_API_BASE", "https://api.telegram.org"),
            telegram_chatbot=env.optional_integer("TELEGRAM_CHATBOT"),
            telegram_groups=env.choice("TELEGRAM_GROUPS", "mentions", ("mentions", "all")),
            telegram_webhook_url=env.optional_address("TELEGRAM_WEBHOOK_URL"),
            lease_seconds=env.number("LEASE_SECONDS", 30.0, least=0.1),
            answer_seconds=env.number("ANSWER_SECONDS", 300.0, least=1.0),
            bind_host=env.text("BIND_HOST", "127.0.0.1"),
            worker_port=env.small_number("WORKER_PORT", 8001, most=65_535),
            retention_days=env.days("RETENTION_DAYS"),
            api_keys=env.secrets("_API_KEY"),
            provider_urls=env.addresses("PROVIDER_URLS"),
            mcp_servers=env.secret("MCP_SERVERS"),
            log_level=env.choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
            log_format=env.choice("LOG_FORMAT", "text", ("text", "json")),
            api_rate_limit=env.small_number("API_RATE_LIMIT", 120, least=1, most=1_000_000),
        )


class _Environment(environment.Environment):
    """Reads what is more than text."""

    def url(self, name: str, default: str) -> DatabaseUrl:
        try:
            return parse(self.secret(name) or default)
        except BadUrl as error:
            raise ConfigError(f"{name} is not a usable database URL: {error}.") from None

    def first_url(self, names: tuple[str, ...]) -> DatabaseUrl | None:
        return next((self.url(name, "") for name in names if self.secret(name)), None)

    def flag_or_auto(self, name: str) -> bool | None:
        """None for `auto`, which is the default."""
        value = self.text(name, "auto").lower()
        if value not in environment.TRUE | environment.FALSE | {"auto"}:
            raise ConfigError(f"{name} is {value!r}; use auto, true or false.")
        return None if value == "auto" else value in environment.TRUE

    def small_number(self, name: str, default: int, *, least: int = 0, most: int) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdecimal() and least <= int(value) <= most):
            raise ConfigError(f"{name} is {value!r}; use a whole number from {least} to {most}.")
        return int(value)

    def number(self, name: str, default: float, *, least: float = 0.0) -> float:
        value = self.text(name, str(default))
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not least <= seconds < 86_400:
            raise ConfigError(f"{name} is {value!r}; use a number of seconds, such as {default:g}.")
        return seconds

    def days(self, name: str) -> int | None:
        """None keeps everything; 0 would delete what was said just now."""
        value = self.text(name, "")
        if value and not (value.isascii() and value.isdecimal() and 0 < int(value) < 36_525):
            raise ConfigError(f"{name} is {value!r}; use a number of days, such as 365, or nothing to keep everything.")
        return int(value) if value else None

    def optional_integer(self, name: str) -> int | None:
        value = self.text(name, "")
        if value and not (value.isdecimal() and int(value) < 2**31):  # what the id of a row can be
            raise ConfigError(f"{name} is {value!r}; use a whole number.")
        return int(value) if value else None

    def secrets(self, suffix: str) -> dict[str, str]:
        """Every secret whose name ends so, by its name."""
        names = {name.removesuffix("_FILE") for name in self._environ if name.removesuffix("_FILE").endswith(suffix)}
        return {name: value for name in sorted(names) if (value := self.secret(name))}

    def addresses(self, name: str) -> tuple[str, ...]:
        """Separated by commas."""
        values = (value.strip() for value in self.text(name, "").split(","))
        return tuple(self._checked_address(name, value) for value in values if value)

    def address(self, name: str, default: str) -> str:
        return self._checked_address(name, self.text(name, default))

    def _checked_address(self, name: str, value: str) -> str:
        value = value.rstrip("/")
        if not value.lower().startswith(("http://", "https://")):
            raise ConfigError(f"{name} is {value!r}; it must start with https:// or http://.")
        return value

    def optional_address(self, name: str) -> str:
        return self.address(name, "") if self.text(name, "") else ""

    def email(self, name: str) -> str:
        value = self.text(name, "")
        if value and not ("@" in value[1:-1] and len(value) <= 254):
            raise ConfigError(f"{name} is {value!r}; use an email address, such as ann@example.com.")
        return value

    def choice(self, name: str, default: str, options: tuple[str, ...]) -> str:
        value = self.text(name, default).lower()
        if value not in options:
            raise ConfigError(f"{name} is {value!r}; use one of {', '.join(options)}.")
        return value
