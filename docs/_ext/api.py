"""Signatures of the client as its user sees them.

Its methods are written as plans, generators that say what to ask a server, and decorators carry
them out; what a plan returns is what a client's method returns.
"""

from __future__ import annotations

import re
from typing import Any

PLAN = re.compile(r"[\w.~]*Generator\[[^,]*\bPause\b[^,]*, [\w.~]*Any, (?P<gives>.*)\]")
PAGE = re.compile(r".*\[\[int\], tuple\[list\[(?P<item>.*?)\], .*\]\]")


def returned(annotation: str) -> str:
    """What a client's method returns, of the annotation of its plan."""
    plain = PLAN.sub(r"\g<gives>", annotation)
    if page := PAGE.fullmatch(plain):
        return f"Iterator[{page['item']}]"
    return re.sub(r"[\w.~]*\bOpening\b", "Stream", plain)


def setup(app: Any) -> dict[str, Any]:
    """For Sphinx."""

    def mended(
        _app: Any,
        _what: str,
        name: str,
        _object: Any,
        _options: Any,
        signature: str | None,
        gives: str | None,
    ) -> tuple[str | None, str | None] | None:
        if gives is None or not name.startswith(("ravl.Client.", "ravl.AsyncClient.")):
            return None
        return signature, returned(gives)

    app.connect("autodoc-process-signature", mended)
    return {"parallel_read_safe": True}
