from __future__ import annotations

import os
import re
import subprocess

import pytest
from scripts.lowest_versions import lowest

from tests.project.files import ROOT, targets, text_of


def test_every_target_has_help():
    without = [name for name, rest in targets().items() if not re.search(r"## \S", rest)]
    assert not without, f"say what these targets do, after ##: {without}"


def test_every_target_is_no_file():
    phony = re.search(r"^\.PHONY: (.+)$", text_of("Makefile"), re.M)
    assert phony is not None
    assert phony[1].split() == list(targets())


def test_help_lists_all():
    # A make that runs these tests tells the one below it that it is nested, and it prints more.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "help"], cwd=ROOT, env=alone, capture_output=True, text=True, check=True
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(targets())


def test_fast_runs_folders_that_are_there():
    folders = re.search(r"^FAST +:= (.+)$", text_of("Makefile"), re.M)
    assert folders is not None
    assert all((ROOT / folder).is_dir() for folder in folders[1].split())


def test_lowest_versions_are_those_of_the_project():
    found = list(lowest(text_of("pyproject.toml")))
    assert "numpy==2.0" in found and "torch==2.6" in found and "fastapi==0.120" in found
    assert not [line for line in found if line.startswith(("ruff", "mypy", "pytest"))]
    names = [line.partition("==")[0] for line in found]
    assert len(names) == len(set(names)), "the higher one of two bounds holds"
    assert "httpx2==2.6" in found


def test_a_requirement_without_a_lowest_version_is_refused():
    text = '[project]\ndependencies = ["numpy"]\n[project.optional-dependencies]\n'
    with pytest.raises(ValueError, match="'numpy' names no lowest version"):
        list(lowest(text))
