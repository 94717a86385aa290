"""The panel's log: gunicorn's lines and the panel's own go the same way, in the same form."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from service import log
from service.config import Config, ConfigError

# Asked every few seconds by whoever watches the container: only their failures are news.
_QUIET = ("/healthz", "/readyz")
# What a path holds only where it is a secret, such as the key in somebody's link.
_KEY = re.compile(r"[\w.~-]{32,}")


class PanelLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Used by name, from the entrypoint. A line for each request is only for machines to read."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        config = _settings()
        self._writes_requests = config.log_format == log.JSON
        log.configure(config.log_level, config.log_format, config.secrets(), process="panel")
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True

    @property
    def access_log_enabled(self) -> bool:
        return self._writes_requests

    def access(self, resp: Any, _req: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:
        path, status = str(environ.get("PATH_INFO", "")), int(str(resp.status).split(maxsplit=1)[0])
        if not self._writes_requests or (path in _QUIET and status < 400):
            return
        facts = {
            "method": environ.get("REQUEST_METHOD"),
            "path": shown(path),
            "status": status,
            "bytes": getattr(resp, "sent", None),
            "duration_ms": round(request_time / timedelta(milliseconds=1)),
            "address": environ.get("REMOTE_ADDR"),
        }
        logging.getLogger("gunicorn.access").info("%(method)s %(path)s: %(status)d", facts, extra=facts)


def _settings() -> Config:
    """Nothing of the panel reads them earlier: here a bad one ends the start with a sentence instead of a traceback."""
    try:
        return Config.from_env()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


def shown(path: str) -> str:
    """The path without keys; the query is never written, since it holds what people search for."""
    return _KEY.sub("…", path)
