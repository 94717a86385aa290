"""What a migration in Python says at its top level, read without running it."""

from __future__ import annotations

import ast
from typing import Any

from service.migrate.files import Outline
from service.migrate.flags import Assigned, of_python


def outline(text: str, name: str) -> Outline:
    """Raises SyntaxError or ValueError where it is not Python."""
    tree = ast.parse(text, name)
    functions: set[str] = set()
    assigned: list[Assigned] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            functions.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            functions.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            assigned += [(node.lineno, name, _constant(node.value)) for name in names]
    return Outline(
        frozenset(functions),
        of_python(assigned),
        backfills="backfill" in text and _asks_for(tree, "backfill"),  # looking at every node takes its time
    )


def _asks_for(tree: ast.Module, verb: str) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == verb for node in ast.walk(tree))


def _constant(node: ast.expr) -> Any:
    """The value of a literal of those that a flag may have; None of anything else."""
    if not isinstance(node, ast.Constant | ast.List | ast.Tuple):
        return None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
