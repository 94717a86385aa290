"""The pages that a signed-in person looks at, as addresses, with the filters that make another query of a page."""

from __future__ import annotations

from flask import Flask

from tests.support.routes import ANYBODY, ROUTES, Values, routes

FILTERS = {
    "GET /audit-log/": ("who=user5@example.org", "action=chatbot", "since=2026-01-01&until=2026-01-02"),
    "GET /conversations/": (
        "words=harbour+pilot",
        "words=berth+tide+storm",
        "chatbot=50",
        "channel=telegram",
        "failed=1",
        "tools=1",
        "persona=51",
    ),
}
# What is downloaded, what goes on until somebody leaves, and what is looked at only so often.
_NO_PAGES = ("/export", "/live", "/csv/", "/migrations/verify")


def addresses(app: Flask, values: Values) -> list[str]:
    found = []
    for route in routes(app, values):
        is_page = route.method == "GET" and ROUTES[route.name] != ANYBODY
        if is_page and not any(part in route.path for part in _NO_PAGES):
            found += [route.path, *(f"{route.path}?{query}" for query in FILTERS.get(route.name, ()))]
    return sorted(found)
