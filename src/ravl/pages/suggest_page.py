"""The page of pictures that are worth labelling."""

from __future__ import annotations

from collections.abc import Sequence

from ravl.errors import PictureError
from ravl.memory import Memory, Row
from ravl.pages.render import data_uri, render
from ravl.tasks.suggesting import Suggestion

SIDE = 160  # of a thumbnail, in pixels
DETAIL = 2  # a thumbnail is made at twice its side, for sharp screens


def suggest_page(memory: Memory, suggestions: Sequence[Suggestion], title: str) -> str:
    """A self-contained HTML page with thumbnails.

    Args:
        memory: that holds the pictures.
        suggestions: in the order of the page.
        title: of the page.
    """

    def thumbnail(row: Row) -> str | None:
        try:
            return data_uri(memory.picture(row, hint=SIDE), SIDE * DETAIL)
        except PictureError:
            return None

    shown = [(one, thumbnail(one.row)) for one in suggestions]
    return render("suggest.html", title=title, suggestions=shown)
