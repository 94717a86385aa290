"""A verification in a process of its own: it replays every migration, so it gets a time limit and can be killed.

What to verify comes on stdin, passwords included, since arguments and environments of processes can be seen."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.migrate.errors import MigrateError
from service.migrate.proving.verify import Check, Verification, verify
from service.url import ROOT, DatabaseUrl

SECONDS = 20.0
_COMMAND = (sys.executable, "-m", "service.admin.schema.verification")


class Failed(Exception):
    """No answer. The text is for the person who asked."""


def verified(url: DatabaseUrl, folder: Path, seconds: float = SECONDS) -> Verification:
    """Compare the live schema with the migrations; changes nothing. Raises Failed, after `seconds` at the latest."""
    question = json.dumps({"url": url._asdict(), "folder": str(folder)})
    try:
        asked = subprocess.run(_COMMAND, cwd=ROOT, input=question, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"No answer within {seconds:g} s, so the verification was stopped.") from None
    if asked.returncode:
        raise Failed("The verification broke; run it where you can see its output.")
    answer: dict[str, Any] = json.loads(asked.stdout)
    if failure := answer.get("failure"):
        raise Failed(failure)
    checks = tuple(Check(**check) for check in answer.pop("checks"))
    lines: dict[str, Any] = {name: tuple(answer.pop(name)) for name in ("drift", "repair", "unknown")}
    return Verification(checks=checks, **lines, **answer)


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    given = question["url"]
    url = DatabaseUrl(**given | {"options": tuple(map(tuple, given["options"]))})
    try:
        return asdict(verify(url, Path(question["folder"])))
    except MigrateError as error:
        return {"failure": str(error)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_answer(json.load(sys.stdin))))
