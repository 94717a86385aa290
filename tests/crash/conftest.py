from __future__ import annotations

from collections.abc import Iterator

import pytest

from service.url import DatabaseUrl
from tests.support.postgresql import Server, create_database, drop_database


@pytest.fixture
def postgresql_url(postgresql_server: Server) -> Iterator[DatabaseUrl]:
    """A database of its own, with nobody in it: else PostgreSQL would make no copies of it."""
    url = create_database(postgresql_server)
    yield url
    drop_database(postgresql_server, url)
