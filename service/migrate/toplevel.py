"""What a migration in Python says at its top level, read without running it."""

from __future__ import annotations

import ast
from typing import Any

from service.migrate.files import Outline


def outline(text: str, name: str) -> Outline:
    """Raises SyntaxError or ValueError where it is not Python."""
    tree = ast.parse(text, name)
    functions: set[str] = set()
    flags: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            functions.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            functions.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.List | ast.Tuple):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            flags.update(dict.fromkeys(names, _constant(node.value)))
    touches = flags.get("touches")
    return Outline(
        frozenset(functions),
        atomic=flags.get("atomic", True) is not False,
        breaking=flags.get("breaking") is True,
        touches=frozenset(str(name).lower() for name in touches) if isinstance(touches, list | tuple) else frozenset(),
        backfills="backfill" in text and _asks_for(tree, "backfill"),  # looking at every node takes its time
    )


def _asks_for(tree: ast.Module, verb: str) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == verb for node in ast.walk(tree))


def _constant(node: ast.expr) -> Any:
    """The value of a literal; None where it is none."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
