"""Pages for developers name files and folders that are there."""

from __future__ import annotations

import re

import pytest

from tests.project.files import ROOT, text_of

PAGES = (
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/development/index.md",
    "docs/development/decisions.md",
)
TOP = "src|tests|docs|scripts|examples|benchmarks|deploy"
PATH = re.compile(rf"`((?:{TOP})/[\w./-]*|[A-Z]+\.md|pyproject\.toml)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
KINDS = (
    "A task",
    "An encoder",
    "A reader",
    "A metric",
    "A setting of a fit",
    "A command of the CLI",
    "An endpoint",
    "An operation of the store",
    "A page of the documentation",
)


@pytest.mark.parametrize("page", PAGES)
def test_paths_are_there(page):
    text = text_of(page)
    gone = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    gone = [path for path in gone if "NAME" not in path]
    folder = (ROOT / page).parent
    gone += [link for link in LINK.findall(text) if not (folder / link).exists()]
    assert not gone, f"{page} names what is not there"


def test_contributing_has_the_touch_points_of_every_kind_of_change():
    text = text_of("CONTRIBUTING.md")
    assert re.findall(r"^### (.+)$", text, re.M) == list(KINDS)
    for section in re.split(r"^### .+$", text, flags=re.M)[1:]:
        assert PATH.search(section), "a kind of change names no file"


def test_decisions_give_a_reason():
    sections = re.split(r"^## ", text_of("docs/development/decisions.md"), flags=re.M)[1:]
    assert len(sections) >= 12
    assert all(len(section.split()) > 25 for section in sections)
