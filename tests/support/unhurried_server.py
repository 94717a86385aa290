"""The panel's server where nothing takes long by its measure, and clients have minutes to hang up, for gunicorn:
--config python:tests.support.unhurried_server"""

from __future__ import annotations

from functools import partial

from gunicorn import util

from service.admin import server
from service.admin.server import limit_request_line, post_worker_init, when_ready, worker_class
from tests.support.processes import HANGS

server.BRIEF = 10 * HANGS
util.close_graceful = partial(util.close_graceful, timeout=10 * HANGS)

__all__ = ["limit_request_line", "post_worker_init", "when_ready", "worker_class"]
