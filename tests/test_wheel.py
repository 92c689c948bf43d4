from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ravl import __version__
from tests.helpers import make_pictures

ROOT = Path(__file__).parents[1]


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, capture_output=True, text=True, errors="replace"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(tmp_path):
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", cwd=ROOT)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "ravl/py.typed",
        "ravl/store/sqlite/schema.sql",
        "ravl/pages/templates/search.html",
    ):
        assert name in names
    assert any(n.endswith("licenses/NOTICE") for n in names)
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/"))]

    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python, ravl = tmp_path / "venv/bin/python", tmp_path / "venv/bin/ravl"
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    assert __version__ in run(ravl, "--version", cwd=tmp_path)
    make_pictures(tmp_path / "photos", 4)
    run(ravl, "index", "photos", "-m", "m.ravl", cwd=tmp_path)
    found = run(ravl, "search", "m.ravl", "--image", "photos/red_000.png", "--json", cwd=tmp_path)
    assert json.loads(found)[0]["id"] == "red_000.png"
    run(ravl, "search", "m.ravl", "red", "--html", "page.html", cwd=tmp_path)
    assert "data:image/jpeg" in (tmp_path / "page.html").read_text("utf-8")
