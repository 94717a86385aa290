"""The panel with little patience, for gunicorn: tests.support.impatient_panel:create_app()"""

from __future__ import annotations

from service.admin import create_app
from service.api import clients

clients.TAKING = 3.0

__all__ = ["create_app"]
