"""The panel with little patience for clients that take nothing, and which hardly ever says anything where nothing is
new, so that only who looks sees that they have left; for gunicorn: tests.support.impatient_panel:create_app()"""

from __future__ import annotations

from service.admin import create_app
from service.api import clients, replies
from tests.support.processes import HANGS

clients.TAKING = 1.0
replies.BEAT = 10 * HANGS

__all__ = ["create_app"]
