"""The worker's port, for whoever watches it: `/healthz` and `/metrics`. It takes no orders and shows no texts."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST

from service.bot.health import Health
from service.bot.metrics import Metrics

log = logging.getLogger(__name__)

SLOW_SECONDS = 5.0


class Probe:
    """Listens from `open` to `close`. A port that can't be had costs the view, not the worker."""

    def __init__(self, health: Health, metrics: Metrics) -> None:
        self._health, self._metrics = health, metrics
        self._server: ThreadingHTTPServer | None = None

    def open(self, host: str, port: int) -> None:
        """Port 0 means: none."""
        if not port:
            return
        try:
            self._server = ThreadingHTTPServer((host, port), self._handler())
        except OSError as error:
            log.warning(
                "Port %d (WORKER_PORT) can't be used: %s; no health and no metrics there.", port, error.strerror
            )
            return
        threading.Thread(target=self._server.serve_forever, name="probe", daemon=True).start()

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def page(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body of what is asked for."""
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, self._metrics.page()
        if path != "/healthz":
            return _json(404, {"error": "Here are /healthz and /metrics."})
        if stuck := self._health.stuck():
            return _json(503, {"status": "stuck", "reason": " ".join(map(str, stuck))})
        quiet = {loop: round(seconds, 1) for loop, seconds in self._health.quiet().items()}
        return _json(200, {"status": "ok", "quiet_seconds": quiet})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self.page

        class Handler(BaseHTTPRequestHandler):
            timeout = SLOW_SECONDS
            server_version, sys_version = "slipway-bot", ""

            def do_GET(self) -> None:
                status, kind, body = page(self.path.partition("?")[0])
                with suppress(OSError):  # who asked has gone
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *values: object) -> None:
                log.debug(format, *values)

        return Handler


def _json(status: int, value: object) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(value).encode()
