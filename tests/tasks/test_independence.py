"""A task stands alone: a fit of one imports nothing of the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

FIT = """
import sys
from pathlib import Path
import ravl
from ravl.memory import Memory
from tests.helpers import ColourEncoder
from tests.training.painted import TEST, VALIDATION, paint

folder = Path(sys.argv[1])
with Memory.create(folder / "painted.ravl", ColourEncoder()) as memory:
    memory.add(paint(folder / "pictures", 30))
    ravl.fit(
        "classify", memory, out=folder / "run", model="linear", validation=VALIDATION, test=TEST,
        progress=False,
    )
print(*(name for name in sys.modules if name.startswith("ravl.tasks.")))
"""


def test_a_fit_of_classify_imports_no_other_task(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIT, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert "ravl.tasks.labels.fit" in loaded
    others = [f"ravl.tasks.{task}." for task in ("ask", "caption", "match")]
    of_others = {name for name in loaded if name.startswith(tuple(others))}
    descriptors = {f"{package}task" for package in others}  # by which the registry describes them
    assert of_others <= descriptors
