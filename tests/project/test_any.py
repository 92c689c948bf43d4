"""New ``Any`` is banned: ruff's ANN401 is on for ``src``, but for files that still have some.

``pyproject.toml`` lists these files. The list may only shrink, and so may the numbers here, which
say how many arguments and results of each file are ``Any``.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator

import pytest

from tests.project.files import ROOT

SOURCE = "src/ravl/"
LEFT = {
    "__init__.py": 1,
    "cli/settings.py": 2,
    "cli/task_commands.py": 2,
    "client/decorators.py": 1,
    "data/readers/hf.py": 6,
    "data/readers/parquet.py": 4,
    "encoders/hf.py": 3,
    "encoders/hf_loading.py": 2,
    "encoders/towers/text_networks.py": 1,
    "encoders/towers/vision_networks.py": 5,
    "exports/comparing.py": 1,
    "exports/graphs.py": 1,
    "memory/memory.py": 2,
    "models/fusion.py": 1,
    "models/generation/adapted.py": 3,
    "models/generation/constraints.py": 1,
    "models/generation/decoder.py": 1,
    "models/generation/decoding.py": 1,
    "models/generation/hub.py": 3,
    "models/generation/loading.py": 2,
    "models/generation/network.py": 1,
    "models/generation/prefix.py": 1,
    "models/generation/vocabulary.py": 1,
    "serving/shapes.py": 1,
    "store/blocks.py": 1,
    "store/filters.py": 2,
    "store/sqlite/filters.py": 1,
    "tasks/ask/fit.py": 1,
    "tasks/ask/task.py": 4,
    "tasks/caption/crops.py": 1,
    "tasks/caption/fit.py": 1,
    "tasks/caption/generator.py": 1,
    "tasks/caption/hub.py": 2,
    "tasks/caption/targets.py": 1,
    "tasks/caption/task.py": 4,
    "tasks/contract.py": 8,
    "tasks/labels/fit.py": 1,
    "tasks/labels/task.py": 4,
    "tasks/match/task.py": 4,
    "tasks/model.py": 2,
    "tasks/search/task.py": 3,
    "training/engine.py": 2,
    "training/evidence_bank.py": 2,
    "training/trainer.py": 4,
    "tuning/tune.py": 1,
}


def untyped(text: str) -> Iterator[tuple[int, str]]:
    """Arguments and results of functions that are ``Any``: the line, and the name."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            own = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            named = [(arg.arg, arg.annotation) for arg in own if arg is not None]
            for name, hint in [*named, (node.name, node.returns)]:
                if hint is not None and ast.unparse(hint) in ("Any", "typing.Any"):
                    yield hint.lineno, name


def listed() -> set[str]:
    """Files of the source for which the rule is off."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert "ANN401" in rules["select"]
    ignored = rules["per-file-ignores"].items()
    return {
        file.removeprefix(SOURCE)
        for file, codes in ignored
        if file.startswith(SOURCE) and "ANN401" in codes
    }


def test_an_any_is_found() -> None:
    text = "def f(a: Any, *b: int, c: list[Any], **d: Any) -> Any:\n    pass\n"
    assert [name for _, name in untyped(text)] == ["a", "d", "f"]
    assert not list(untyped("def f(a: object, b: dict[str, Any]) -> None: ...\n"))


def test_the_list_is_that_of_the_linter() -> None:
    assert listed() == set(LEFT)


@pytest.mark.parametrize("file", LEFT)
def test_the_list_only_shrinks(file: str) -> None:
    found = list(untyped((ROOT / SOURCE / file).read_text("utf-8")))
    assert found, f"{file} has no Any any more: take it out of LEFT, and out of pyproject.toml."
    assert len(found) <= LEFT[file], f"{file} has more Any than before: {found}."
    assert len(found) == LEFT[file], f"{file} has fewer Any: write {len(found)} into LEFT."
