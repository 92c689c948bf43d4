"""The documentation's pages, as they are written and as generated parts fill them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from docs._ext.generated import filled

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_" not in p.relative_to(DOCS).as_posix()[0])
WRITTEN = [*PAGES, ROOT / "README.md", ROOT / "README.zh-CN.md"]
FENCE = re.compile(r"^(?P<fence>`{3,})(?P<kind>[^\n]*)\n(?P<text>.*?)^(?P=fence)$", re.M | re.S)


@cache
def page(name: str) -> str:
    """A page with what its marks stand for."""
    return filled((DOCS / name).read_text("utf-8"))


@cache
def everything() -> str:
    """All pages, one after the other."""
    return "\n".join(page(p.relative_to(DOCS).as_posix()) for p in PAGES)


def blocks(text: str) -> list[tuple[str, str]]:
    """Kind and text of the code blocks of a page."""
    return [(found["kind"].strip(), found["text"]) for found in FENCE.finditer(text)]


def without_blocks(text: str) -> str:
    """A page's prose."""
    return FENCE.sub("", text)
