"""`python -m service.bot`: the worker process. The entrypoint has waited for the schema; this never migrates."""

from __future__ import annotations

import logging
import os
import sys

from service import log
from service.bot.worker import DRAIN_SECONDS, GRACE_SECONDS, Worker, new_name
from service.chat.outside import Outside
from service.chat.providers import Providers, built_in
from service.chat.tools import servers
from service.config import Config, ConfigError
from service.database import bind


def main(providers: Providers | None = None, drain_seconds: float = DRAIN_SECONDS, grace: float = GRACE_SECONDS) -> int:
    """Serve until told to stop; `providers` come on top of the built-in ones."""
    try:
        config = Config.from_env()
        outside = Outside(config.api_keys, config.provider_urls, servers.parse(config.mcp_servers))
    except (ConfigError, servers.ServersError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    name = new_name()
    log.configure(config.log_level, config.log_format, config.secrets(), process="bot", worker=name)
    bind(config.database_url, application="slipway-bot")
    logging.getLogger(__name__).info("Worker %d on %s", os.getpid(), config.database_url)
    try:
        known = built_in(outside) | dict(providers or {})
        return Worker(name, config, known, outside, drain_seconds, grace).run()
    finally:
        outside.close()


if __name__ == "__main__":
    sys.exit(main())
