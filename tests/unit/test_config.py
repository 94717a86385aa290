"""Settings: read once, and every mistake names its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.config import Config, ConfigError, RunnerConfig


def test_everything_has_a_default() -> None:
    config = Config.from_env({})
    assert config.database_url.is_sqlite
    assert config.migration_database_url == config.database_url
    assert not RunnerConfig.from_env({}).run_migrations


@pytest.mark.parametrize("value", ["true", "TRUE", "1", "yes", " Yes "])
def test_migrations_are_switched_on_by_any_clear_word(value: str) -> None:
    assert RunnerConfig.from_env({"RUN_MIGRATIONS": value}).run_migrations


@pytest.mark.parametrize("value", ["false", "0", "no", "No", ""])
def test_migrations_are_switched_off_by_any_clear_word(value: str) -> None:
    assert not RunnerConfig.from_env({"RUN_MIGRATIONS": value}).run_migrations


@pytest.mark.parametrize(("value", "is_secure"), [("", None), ("Auto", None), ("true", True), ("no", False)])
def test_cookies_are_as_secure_as_the_connection_unless_somebody_says_otherwise(
    value: str, is_secure: bool | None
) -> None:
    assert Config.from_env({"SECURE_COOKIES": value}).secure_cookies is is_secure


@pytest.mark.parametrize("variable", ["MIGRATION_DATABASE_URL", "DIRECT_URL", "DATABASE_URL_UNPOOLED"])
def test_migrations_may_use_a_direct_connection(variable: str) -> None:
    config = Config.from_env({"DATABASE_URL": "postgres://app@pool/bot", variable: "postgres://owner@direct/bot"})
    assert config.database_url.host == "pool"
    assert config.migration_database_url.host == "direct"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("TELEGRAM_WEBHOOK_URL", "bot.example.com", "must start with https:// or http://"),
        ("TELEGRAM_GROUPS", "some", "use one of mentions, all"),
        ("RUN_MIGRATIONS", "perhaps", "use true, false, 1, 0, yes or no"),
        ("DATABASE_URL", "mysql://db/bot", "not a usable database URL"),
        ("DIRECT_URL", "mysql://db/bot", "not a usable database URL"),
        ("DATABASE_WAIT", "soon", "a number of seconds"),
        ("SCHEMA_WAIT", "-1", "a number of seconds"),
        ("RETENTION_DAYS", "0", "a number of days"),
        ("RETENTION_DAYS", "forever", "or nothing to keep everything"),
        ("TELEGRAM_CHATBOT", "first", "a whole number"),
        ("TELEGRAM_CHATBOT", "²", "a whole number"),
        ("TELEGRAM_CHATBOT", "9999999999", "a whole number"),
        ("TELEGRAM_API_BASE", "api.example.com", "must start with https://"),
        ("PROVIDER_URLS", "https://api.example.com, api.example.org", "must start with https://"),
        ("MISTRAL_API_KEY_FILE", "/nowhere/key", "can't be read"),
        ("ADMIN_EMAIL", "ann", "an email address"),
        ("SECURE_COOKIES", "perhaps", "use auto, true or false"),
        ("TRUSTED_PROXIES", "-1", "a whole number from 0 to 9"),
        ("TRUSTED_PROXIES", "10", "a whole number from 0 to 9"),
        ("API_RATE_LIMIT", "0", "a whole number from 1 to 1000000"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("SECRET_KEY_FILE", "/nowhere/secret", "can't be read"),
    ],
)
def test_a_bad_value_stops_the_start_and_names_the_variable(variable: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"^{variable} .*{words}"):
        Config.from_env({variable: value})


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("postgresql://bot:hunter2@db/bot\n")
    assert Config.from_env({"DATABASE_URL_FILE": str(path)}).database_url.password == "hunter2"


def test_the_variable_itself_wins_over_its_file() -> None:
    assert Config.from_env({"SECRET_KEY": "near", "SECRET_KEY_FILE": "/nowhere"}).secret_key == "near"


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match=r"SECRET_KEY_FILE .* it is not text"):
        Config.from_env({"SECRET_KEY_FILE": str(path)})


def test_no_secret_is_shown_when_settings_are_printed() -> None:
    secrets = {"SECRET_KEY": "s1", "ADMIN_PASSWORD": "s2", "TELEGRAM_BOT_TOKEN": "s3", "OPENAI_API_KEY": "s5"}
    shown = repr(Config.from_env({**secrets, "DATABASE_URL": "postgres://bot:s4@db/bot"}))
    assert not [secret for secret in (*secrets.values(), "s4") if secret in shown]


def test_every_variable_that_is_named_like_a_key_is_one(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from a file\n")
    environ = {"OPENAI_API_KEY": "k1", "MISTRAL_API_KEY_FILE": str(path), "EMPTY_API_KEY": "", "API_KEYS": "no"}
    assert Config.from_env(environ).api_keys == {"OPENAI_API_KEY": "k1", "MISTRAL_API_KEY": "from a file"}


def test_the_addresses_that_versions_may_name_are_separated_by_commas() -> None:
    given = "https://api.openai.com/v1/, http://models:8080 ,"
    assert Config.from_env({"PROVIDER_URLS": given}).provider_urls == (
        "https://api.openai.com/v1",
        "http://models:8080",
    )
    assert Config.from_env({}).provider_urls == ()
