"""Puts generated Markdown where a page has a line such as ``<!-- ravl: cli search info -->``.

It happens before the page is parsed, so that headings, links and the search see no difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from docs._ext import cli, metrics, rest, results

MARK = re.compile(r"^<!-- ravl: (?P<kind>\w+)(?P<words>[^>]*) -->$", re.MULTILINE)
CHINESE = r"[\u3000-\u9fff\uff00-\uffef]"
BREAK = re.compile(
    rf"(?P<kept>^```.*?^```$)|(?<={CHINESE})\n *(?=[^\s|:`#-])|(?<!\n)\n *(?={CHINESE})",
    re.MULTILINE | re.DOTALL,
)
KINDS: dict[str, Callable[[Sequence[str]], str]] = {
    "cli": cli.reference,
    "rest": rest.reference,
    "records": rest.records,
    "metrics": metrics.reference,
    "results": results.reference,
}


def filled(text: str) -> str:
    """A page with what its marks stand for.

    Raises:
        KeyError: a mark of no kind, or of a command or a tag that does not exist.
    """
    return MARK.sub(lambda found: KINDS[found["kind"]](found["words"].split()), text)


def joined(text: str) -> str:
    """A Chinese page without line breaks in its paragraphs: a browser would show them as blanks."""
    return BREAK.sub(lambda found: found["kept"] or "", text)


def setup(app: Any) -> dict[str, Any]:
    """For Sphinx."""

    def fill(_app: Any, name: str, source: list[str]) -> None:
        source[0] = joined(filled(source[0])) if name.startswith("zh/") else filled(source[0])

    app.connect("source-read", fill)
    app.connect("html-page-context", _language)
    return {"parallel_read_safe": True}


def _language(_app: Any, name: str, _template: str, context: dict[str, Any], _tree: Any) -> None:
    """Chinese pages say that they are."""
    if name.startswith("zh/"):
        context["language"] = "zh-CN"
