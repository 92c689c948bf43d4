"""Docstrings name the parameters that there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.docs.pages import ROOT

SOURCE = ROOT / "src" / "ravl"
HEAD = re.compile(r"^( *)(?:Args|Attributes):\s*$", re.MULTILINE)
ENTRY = re.compile(r"\s*((?:\*{0,2}\w+(?:, *| and )?)+): ")


def named(doc: str) -> Iterator[str]:
    """The names under ``Args:`` or ``Attributes:`` of a docstring."""
    if not (head := HEAD.search(doc)):
        return
    indent = None
    for line in filter(str.strip, doc[head.end() :].splitlines()):
        depth = len(line) - len(line.lstrip())
        indent = depth if indent is None else indent
        if depth <= len(head[1]):
            return
        if depth == indent and (entry := ENTRY.match(line)):
            yield from re.findall(r"\w+", entry[1].replace(" and ", " "))


@cache
def classes() -> dict[str, ast.ClassDef]:
    """All classes of the source by name."""
    trees = (ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py"))
    return {n.name: n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}


def base_names(node: ast.ClassDef) -> Iterator[str]:
    """Names of the classes that a class extends."""
    for base in node.bases:
        while isinstance(base, ast.Subscript):
            base = base.value
        if isinstance(base, ast.Name):
            yield base.id


def fields(node: ast.ClassDef) -> set[str]:
    """Fields of a class, of its base classes and of its ``__init__``."""
    found: set[str] = set()
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            found.add(part.target.id)
        if isinstance(part, ast.FunctionDef):
            if "property" in map(ast.unparse, part.decorator_list):
                found.add(part.name)
            if part.name in {"__init__", "__new__"}:
                found |= parameters(part) | set(re.findall(r"self\.(\w+)\b", ast.unparse(part)))
    for name in base_names(node):
        if name in classes() and name != node.name:
            found |= fields(classes()[name])
    return found


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Parameters of a function, with the keys of the ``TypedDict`` of its keywords."""
    args = node.args
    found = {a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
    found |= {a.arg for a in (args.vararg, args.kwarg) if a}
    if args.kwarg and args.kwarg.annotation:
        for name in re.findall(r"\w+", ast.unparse(args.kwarg.annotation)):
            found |= fields(classes()[name]) if name in classes() else set()
    return found


def unknown(tree: ast.AST) -> Iterator[str]:
    """Names in docstrings that are no parameter, with the function or class."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if names := list(named(ast.get_docstring(node) or "")):
            have = fields(node) if isinstance(node, ast.ClassDef) else parameters(node)
            yield from (f"{node.name}: {name}" for name in names if name not in have)


def documented(path: Path) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {found}"
        for found in unknown(ast.parse(path.read_text("utf-8")))
    ]


def test_args_are_parameters() -> None:
    assert not [found for path in SOURCE.rglob("*.py") for found in documented(path)]


def test_a_name_that_is_no_parameter_is_found() -> None:
    text = '''
def add(rows, *more, **options):
    """Add rows.

    Args:
        rows: to add:
            as they are.
        more, options: further ones.
        bank: of the rows.

    Returns:
        How many: all.
    """
'''
    assert list(unknown(ast.parse(text))) == ["add: bank"]
