"""What gunicorn reads as its configuration, besides what the entrypoint says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from service.api.clients import IS_STOPPING


def post_worker_init(worker: Any) -> None:
    """Let an answer that takes its time see that the worker is to stop. Else each stop of the panel would wait for
    whoever follows a transcript, until they are cut off."""
    serve = worker.wsgi

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[IS_STOPPING] = lambda: not worker.alive
        answer: Iterable[bytes] = serve(environ, start_response)
        return answer

    worker.wsgi = wsgi
