"""The API, described."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from service.api import GROUPS
from service.api.tokens import SCOPES
from service.url import ROOT
from tests.support.api import Program
from tests.support.panel import ONE_ENGINE

pytestmark = ONE_ENGINE


@pytest.fixture
def document(app: Flask) -> Any:
    return Program(app, "").get("/openapi.json").get_json()


def test_every_endpoint_is_described_with_its_scope_and_what_may_go_wrong(document: Any) -> None:
    described = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert len(described) == sum(len(group.endpoints) for group in GROUPS)
    for name, operation in described.items():
        assert operation["summary"].endswith("."), name
        assert operation["security"] in ([], [{"token": []}]), name
        if operation["security"]:
            assert operation["x-scope"] in SCOPES
            assert {"401", "403", "429"} <= set(operation["responses"]), name
    assert len({operation["operationId"] for operation in described.values()}) == len(described)


def test_the_address_of_the_service_is_the_one_that_was_asked(document: Any) -> None:
    assert document["servers"] == [{"url": "/api"}]


def test_every_schema_that_is_referred_to_is_there(document: Any) -> None:
    referred = set(re.findall(r"#/components/schemas/([\w-]+)", str(document)))
    assert referred
    assert referred <= set(document["components"]["schemas"])


def test_the_page_shows_every_address_and_needs_nothing_from_elsewhere(app: Flask, document: Any) -> None:
    response = Program(app, "").get("/docs")
    page = response.text
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!/api/|#)', page)
    assert not re.search(r" style=| on\w+=", page)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_the_manual_names_what_there_is(document: Any) -> None:
    manual = (ROOT / "docs" / "api.md").read_text("utf-8")
    for scope, (words, role) in SCOPES.items():
        assert f"| `{scope}` | " in manual
        assert role in next(line for line in manual.splitlines() if line.startswith(f"| `{scope}` |")), words
    for path in re.findall(r"example\.com/api(/[\w/-]+)", manual):
        known = [re.sub(r"{\w+}", r"\\d+", address) for address in document["paths"]]
        assert any(re.fullmatch(address, path) for address in known), path
