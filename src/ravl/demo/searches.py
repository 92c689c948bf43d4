"""The searches of the demo, for each of its sets of pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

from ravl.memory import Memory
from ravl.retrieval import Query, SearchOptions

OWN_EXAMPLES = 3  # number of your own pictures used as queries
OWN_WORDS = (
    "a person",
    "an animal",
    "a building",
    "food",
    "a vehicle",
)  # for pictures without labels


@dataclass(frozen=True, slots=True)
class Search:
    """One search of the demo.

    Args:
        note: a sentence about the search.
        query: the query.
        options: options of the search.
    """

    note: str
    query: Query
    options: SearchOptions = field(default_factory=SearchOptions)


def in_stamps() -> list[Search]:
    """Searches in Tux Paint's stamps."""
    return [
        Search(
            "By text. Pictures, captions and words are searched, and the three rankings are fused.",
            Query("a musical instrument with strings"),
        ),
        Search(
            "By content: no caption is read, only the pictures are compared with the text. The "
            "network was not trained for this; ravl has joined two networks.",
            Query("a sports car"),
            {"mode": "dense"},
        ),
        Search(
            "With a filter: cartoon = true and label != 'town'.",
            Query("a building or a vehicle"),
            {"where": "cartoon = true and label != 'town'"},
        ),
        Search("By words, in Chinese.", Query("熊"), {"mode": "keyword"}),
        Search(
            "By picture: what looks like this one? (It is in the memory, but excluded.)",
            Query(like="animals/mammals/cats/tiger.png"),
        ),
        Search(
            "By picture and text together: like this flower, but yellow.",
            Query("a yellow flower", like="plants/flowers/rose.png", weight=0.5),
        ),
        Search(
            "By picture, diverse and without near-duplicates.",
            Query(like="food/fruit/strawberry.png"),
            {"diversity": 0.5, "collapse": True},
        ),
        Search(
            "From picture to text: which descriptions fit this picture?",
            Query(like="vehicles/auto/sedan.png"),
            {"target": "texts"},
        ),
    ]


def in_scenes() -> list[Search]:
    """Searches in the scenes that ravl draws."""
    return [
        Search(
            "By text. Pictures, captions and words are searched, and the three rankings are fused.",
            Query("something to drink"),
        ),
        Search(
            "By content: no caption is read, only the pictures are compared with the text. The "
            "network was not trained for this; ravl has joined two networks.",
            Query("an umbrella"),
            {"mode": "dense"},
        ),
        Search(
            "With a filter: colour = 'red' and count > 1.",
            Query("things on a table"),
            {"where": "colour = 'red' and count > 1"},
        ),
        Search("By words, in Chinese.", Query("草地上的房子"), {"mode": "keyword"}),
        Search(
            "By picture: what looks like this one? (It is in the memory, but excluded.)",
            Query(like="butterfly/orange-2"),
        ),
        Search(
            "By picture and text together: like this, but at night.",
            Query("at night", like="house/red-1", weight=0.5),
        ),
        Search(
            "From picture to text: which descriptions fit this picture?",
            Query(like="hot-air-balloon/red-1"),
            {"target": "texts"},
        ),
    ]


def in_own(memory: Memory) -> list[Search]:
    """Searches in unknown pictures: by their labels, or by common words."""
    words = list(memory.info().labels)[: len(OWN_WORDS)] or list(OWN_WORDS)
    pictured = [row.id for row in memory.rows() if row.hash is not None]
    examples = pictured[:: max(1, len(pictured) // OWN_EXAMPLES)][:OWN_EXAMPLES]
    return [
        *(Search("By text.", Query(word)) for word in words),
        *(Search("By picture: what looks like this one?", Query(like=id)) for id in examples),
        *(
            Search("By picture and text together.", Query(words[0], like=id))
            for id in examples[-1:]
        ),
    ]
