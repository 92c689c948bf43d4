"""The report of a refit: new data, champion and challenger, and changed answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ravl.pages.fit_parts import ExampleGroup
from ravl.pages.render import only_data, render
from ravl.pages.score_table import ScoreTable, shown

AT_ONCE = 8  # examples of a group shown at once


@dataclass(frozen=True, slots=True)
class NewLabel:
    """New pictures of one label.

    Args:
        name: the name of the label.
        count: number of new pictures.
        before: number of pictures in the champion's fit; 0 for an unknown label.
        widest: the largest count of all labels, for the bar.
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
        verdict: the result for the challenger, in a sentence.
        promoted: True if the challenger was promoted.
        about: names and values that describe the refit.
        tables: champion and challenger on each test split; the first table decides.
        labels: the new labels, in any order.
        pictures: some of the new pictures.
        groups: pictures with changed answers.
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
