"""The page of pictures that are worth labelling."""

from __future__ import annotations

from collections.abc import Sequence

from ravl.memory import Memory
from ravl.pages.render import render, row_uri
from ravl.tasks.labels.active_learning import Suggestion

SIDE = 160  # of a thumbnail, in pixels


def suggest_page(memory: Memory, suggestions: Sequence[Suggestion], title: str) -> str:
    """A self-contained HTML page with thumbnails.

    Args:
        memory: that holds the pictures.
        suggestions: in the order of the page.
        title: of the page.
    """
    shown = [(one, row_uri(memory, one.row, SIDE)) for one in suggestions]
    return render("suggest.html", title=title, suggestions=shown)
