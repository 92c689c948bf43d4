"""The version is written down once, and the changelog knows it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import ravl
from ravl._version import __version__
from tests.project.files import ROOT, text_of

HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.M)


def test_it_stands_in_one_file():
    project = tomllib.loads(text_of("pyproject.toml"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"] == {"path": "src/ravl/_version.py"}
    assert ravl.__version__ == __version__
    literal = re.compile(rf"[\"']{re.escape(__version__)}[\"']")
    found = [p for p in (ROOT / "src").rglob("*.py") if literal.search(p.read_text("utf-8"))]
    assert [p.name for p in found] == ["_version.py"]


def test_the_program_says_it():
    code = "from ravl.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True
    )
    assert __version__ in done.stdout


def test_the_changelog_has_dated_versions_newest_first():
    found = [(h["name"], h["date"]) for h in HEADING.finditer(text_of("CHANGELOG.md"))]
    names, dates = [name for name, _ in found], [date for _, date in found]
    assert names[0] == "Unreleased"
    assert dates[0] is None and all(dates[1:])
    assert dates[1:] == sorted(dates[1:], reverse=True)
    released = not re.search(r"dev|rc|a\d|b\d", __version__)
    assert (__version__ in names) == released, "a released version has its section in the changelog"
    sections = HEADING.split(text_of("CHANGELOG.md"))
    assert all(section.strip() for section in sections[3::3]), "a version without changes"


def test_the_changelog_has_the_groups_of_keep_a_changelog():
    groups = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text_of("CHANGELOG.md"), re.M)) <= groups
