"""The service's full schema in an empty database, made as every deploy makes it."""

from __future__ import annotations

from service.migrate.runner import deploy
from service.migrate.session import Target
from service.url import ROOT, DatabaseUrl


def build_schema(url: DatabaseUrl) -> None:
    deploy(Target(url, ROOT / "migrations"))
