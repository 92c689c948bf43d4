from __future__ import annotations

import re

import pytest
from docs._ext.api import returned

import ravl
from tests.docs.pages import DOCS, PAGES, ROOT, everything, without_blocks

CHINESE = sorted((DOCS / "zh").glob("*.md"))


def headings(text):
    return re.findall(r"^(#+) ", without_blocks(text), re.M)


@pytest.mark.parametrize("path", CHINESE, ids=lambda p: p.name)
def test_chinese_pages_follow_the_english(path):
    text = path.read_text("utf-8")
    found = re.match(r"---\nfollows: (\S+)\n---\n", text)
    assert found, f"{path.name} does not name the page that it follows"
    english = DOCS / f"{found[1]}.md"
    original = english.read_text("utf-8")
    assert headings(text) == headings(original), "the headings differ"
    assert f"[English](../{found[1]}.md)" in text
    assert f"zh/{path.name})" in original, f"{found[1]}.md does not link to its translation"
    assert blocks_that_run(text) == blocks_that_run(original), "the commands differ"


def blocks_that_run(text):
    """Commands without their comments and output."""
    lines = [
        re.split(r"\s+#\s", line)[0].rstrip()
        for kind, block in _blocks(text)
        if kind in ("sh", "python")
        for line in block.splitlines()
    ]
    return [line for line in lines if line and "multilingual" not in line]


def _blocks(text):
    from tests.docs.pages import blocks

    return blocks(text)


def test_every_public_name_is_on_the_page_of_the_api():
    text = (DOCS / "reference" / "python.md").read_text("utf-8")
    missing = [name for name in ravl.__all__ if not re.search(rf"ravl\.{name}\b", text)]
    assert not missing, f"docs/reference/python.md does not have: {missing}"


def test_every_environment_variable_is_described():
    text = (DOCS / "reference" / "environment.md").read_text("utf-8")
    read = re.compile(r"""environ(?:\.get\(|\[)\s*["'](\w+)["']|["'](RAVL_[A-Z_]+)["']""")
    for path in (ROOT / "src").rglob("*.py"):
        for groups in read.findall(path.read_text("utf-8")):
            name = groups[0] or groups[1]
            assert f"`{name}`" in text, f"{path.name} reads {name}"
    from ravl.models.generation.http import KEYS

    assert all(f"`{name}`" in text for name in KEYS)


def test_pages_name_no_place_of_this_machine():
    for path in PAGES:
        text = path.read_text("utf-8")
        assert not re.search(r"/work/|/root/|/home/|/tmp/\w", text), path.name
        # what must be fetched is named by its package, never by a registry's address
        assert not re.search(r"pypi\.org|registry\.npmjs|deb\.debian", text), path.name


def test_results_are_all_on_their_page():
    text = everything()
    for path in (ROOT / "benchmarks" / "results").glob("*.md"):
        assert f"(results-{path.stem})=" in text, f"add {path.stem} to docs/concepts/results.md"


def test_methods_of_the_client_give_what_their_plans_give():
    assert returned("Generator[Ask | Pause, Any, IndexReport]") == "IndexReport"
    page = "Callable[[int], Generator[Ask | Pause, Any, tuple[list[Row], int | None]]]"
    assert returned(page) == "Iterator[Row]"
    assert returned("~ravl.client.plans.Opening") == "Stream"
    assert returned("dict[str, int]") == "dict[str, int]"
