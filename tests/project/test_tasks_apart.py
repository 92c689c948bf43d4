"""A task is named in its own folder, and folders of tasks lean little on each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.project.files import ROOT

SOURCE = ROOT / "src/ravl"
TASKS = SOURCE / "tasks"
NAME = re.compile(r'"(classify|tag|match|caption|ask)"')
FOLDERS = {folder.name for folder in TASKS.iterdir() if (folder / "__init__.py").exists()}
MOST_SIBLING_IMPORTS = 19

# Files with a quoted name, and why. Do not add to them: ask the registry or the task's descriptor.
NAMED = {
    # where the name is given
    "plugins.py",
    "tasks/ask/task.py",
    "tasks/caption/task.py",
    "tasks/labels/task.py",
    "tasks/match/task.py",
    # functions that have the name of a task
    "cli/answering.py",
    "client/methods.py",
    "demo/run.py",
    "tasks/model.py",
    # the same word for something else: columns of tables, keys of COCO, what an answer is called
    "data/readers/coco.py",
    "data/readers/columns.py",
    "data/readers/json_stream.py",
    "data/readers/table.py",
    "data/readers/values.py",
    "pages/retriever_report.py",
    "tasks/match/dataset.py",
    "training/examples.py",
}


def sibling_imports(file: Path) -> Iterator[str]:
    """The import statements of a file in a task's folder that name another task's folder."""
    own = file.relative_to(TASKS).parts[0]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        parts = [name.split(".") for name in names if name.startswith("ravl.tasks.")]
        if any(part[2] in FOLDERS - {own} for part in parts):
            yield f"{file.relative_to(SOURCE)}:{node.lineno}: {ast.unparse(node)}"  # type: ignore[attr-defined]


def test_names_of_tasks_stand_in_few_files() -> None:
    found = {
        str(file.relative_to(SOURCE).as_posix())
        for file in SOURCE.rglob("*.py")
        if NAME.search(file.read_text("utf-8"))
    }
    assert not found - NAMED, "ask the registry or the descriptor: Task.name, Task.command"
    assert not NAMED - found, "take these off the list"


def test_tasks_import_little_of_each_other() -> None:
    found = [
        line
        for folder in sorted(FOLDERS)
        for file in sorted((TASKS / folder).rglob("*.py"))
        for line in sibling_imports(file)
    ]
    assert len(found) == MOST_SIBLING_IMPORTS, "\n".join(
        ["lower the number if there are fewer; move what is shared up if there are more:", *found]
    )
