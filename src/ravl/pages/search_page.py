"""The page of search results, with hits and scores, and of descriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ravl.memory import Memory, Picture, Row
from ravl.memory.info import Info
from ravl.pages.render import given_uri, render, row_uri
from ravl.pages.score_table import ScoreTable
from ravl.pages.score_table import shown as shown_table
from ravl.retrieval import Hits, Query
from ravl.runs.answers import Evidence

SIDE = 160  # side of a thumbnail, in pixels


@dataclass(frozen=True, slots=True)
class Section:
    """One search on the page.

    Args:
        query: the query.
        hits: the hits.
        note: a note about this search.
    """

    query: Query
    hits: Hits
    note: str = ""


@dataclass(frozen=True, slots=True)
class Described:
    """A picture that is not in the memory, with its description and answers.

    Args:
        picture: the picture.
        text: its description.
        truth: a description by people.
        replies: questions about it, each with its answer.
        evidence: rows that support the text, the largest share first.
    """

    picture: Picture | str
    text: str
    truth: str
    replies: Sequence[tuple[str, str]]
    evidence: Sequence[Evidence]


def search_page(
    memory: Memory,
    sections: list[Section],
    title: str,
    opening: ScoreTable | None = None,
    words: str = "",
    links: Sequence[tuple[str, str]] = (),
    info: Info | None = None,
    described: Sequence[Described] = (),
) -> str:
    """A self-contained HTML page with thumbnails.

    Args:
        memory: the memory of the hits; their pictures are read from it.
        sections: searches, in the order of the page.
        title: of the page.
        opening: a table at the top of the page.
        words: a text below that table.
        info: information about the searched memory; None reads it from the memory.
        links: names and relative addresses of other pages, after the words.
        described: pictures with descriptions at the end of the page.
    """
    shown: dict[int, str | None] = {}  # a picture found twice is decoded once

    def thumbnail(row: Row) -> str | None:
        if row.number not in shown:
            shown[row.number] = row_uri(memory, row, SIDE)
        return shown[row.number]

    return render(
        "search.html",
        title=title,
        opening=shown_table(opening) if opening is not None else None,
        words=words,
        links=links,
        info=info or memory.info(),
        sections=[
            {
                "query": section.query,
                "picture": _query_picture(memory, section.query),
                "note": section.note,
                "hits": [{"hit": hit, "thumbnail": thumbnail(hit.row)} for hit in section.hits],
            }
            for section in sections
        ],
        described=[
            {
                "said": one,
                "picture": given_uri(one.picture, SIDE),
                "evidence": [(each, thumbnail(each.row)) for each in one.evidence],
            }
            for one in described
        ],
    )


def _query_picture(memory: Memory, query: Query) -> str | None:
    if query.like is not None:
        return row_uri(memory, memory.get(query.like), SIDE)
    if query.image is not None:
        return given_uri(query.image, SIDE)
    return None
