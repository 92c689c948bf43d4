"""The report of a refit: what is new, champion and challenger, and whose answers changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ravl.pages.fit_parts import ExampleGroup
from ravl.pages.render import only_data, render
from ravl.pages.score_table import ScoreTable, shown

AT_ONCE = 8  # examples of a group that are shown at once


@dataclass(frozen=True, slots=True)
class NewLabel:
    """What came of one label.

    Args:
        name: of it.
        count: new pictures.
        before: pictures that the champion was fitted to; 0 for a label that it does not know.
        widest: the largest count of all, for the bar.
    """

    name: str
    count: int
    before: int
    widest: int


@dataclass(frozen=True, slots=True)
class NewPicture:
    """One of the new pictures.

    Args:
        thumbnail: a data URI.
        says: its label or tags.
        name: its id.

    Raises:
        ValueError: the thumbnail is no data URI.
    """

    thumbnail: str
    says: str
    name: str

    def __post_init__(self) -> None:
        only_data(self.thumbnail)


def refit_report(
    title: str,
    verdict: str,
    promoted: bool,
    about: Sequence[tuple[str, str]],
    tables: Sequence[ScoreTable],
    labels: Sequence[NewLabel],
    pictures: Sequence[NewPicture],
    groups: Sequence[ExampleGroup],
) -> str:
    """A self-contained HTML page.

    Args:
        title: of the page.
        verdict: what became of the challenger, in a sentence.
        promoted: whether it answers now.
        about: names and values of what was done.
        tables: champion and challenger on each part; the first is the one that is decided by.
        labels: what is new, in any order.
        pictures: some of what is new.
        groups: pictures whose answer changed.
    """
    return render(
        "refit_report.html",
        title=title,
        verdict=verdict,
        promoted=promoted,
        about=about,
        tables=[shown(table) for table in tables],
        pictures=pictures,
        groups=groups,
        labels=sorted(labels, key=lambda label: (-label.count, label.name)),
        at_once=AT_ONCE,
    )
