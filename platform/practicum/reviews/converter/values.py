"""Numbers, texts and switches that cells set: ``learning_rate = 0.1``. Read, never run."""

from __future__ import annotations

import ast
import re
import warnings

LONGEST_SOURCE = 100_000
LONGEST_VALUE = 80
MAGIC = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)


def values_of(source: str) -> dict[str, str]:
    """What each name is set to, written as Python does; the last one where there are several.

    Counted are names and attributes that are set to a literal, and keywords of calls that are given one.
    """
    if len(source) > LONGEST_SOURCE or source.lstrip().startswith("%%"):
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(MAGIC.sub("pass", source))
        found: dict[str, str] = {}
        for node in ast.walk(tree):
            for name, value in _set_by(node):
                if (written := _literal(value)) is not None:
                    found[name] = written
    except (SyntaxError, ValueError, RecursionError):
        return {}
    return found


def _set_by(node: ast.AST) -> list[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        return [(ast.unparse(target), node.value) for target in node.targets if _is_name(target)]
    if isinstance(node, ast.AnnAssign) and node.value is not None and _is_name(node.target):
        return [(ast.unparse(node.target), node.value)]
    if isinstance(node, ast.Call) and _is_name(node.func):
        called = ast.unparse(node.func)
        return [(f"{called}({word.arg}=)", word.value) for word in node.keywords if word.arg]
    return []


def _is_name(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _literal(node: ast.expr) -> str | None:
    """A literal as it is written; None for anything that is worked out, and for what is too long to be told."""
    if not isinstance(node, ast.Constant | ast.UnaryOp | ast.Tuple | ast.List | ast.Set | ast.Dict):
        return None
    try:
        written = repr(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError):
        return None
    return written if len(written) <= LONGEST_VALUE else None
