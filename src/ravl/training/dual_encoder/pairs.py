"""The picture-text pairs that a memory teaches, and their split without leakage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array, Encoder, Numbers
from ravl.errors import DataError
from ravl.memory import Memory, Row
from ravl.runs.row_texts import MOST_TEXTS

Ints = NDArray[np.int64]

LABEL = "a photo of {}"  # as texts for rows that have a label, but no text
TAGS = "a photo of {}"
FEWEST = 8  # pictures with texts, below which nothing can be learned or measured
LARGEST = 1000  # pictures of a held-out split that is drawn by chance


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pictures and the texts that belong to them.

    Args:
        rows: ids of the pictures' rows, n.
        features: of the pictures, by the frozen tower, (n, F).
        groups: equal for near-duplicates, (n,).
        labels: of the rows, n, None where there is none.
        texts: different texts, m.
        owners: picture of each pair, (p,), ascending.
        which: text of each pair, (p,).
        unread: number of texts left out, since the encoder does not read their language.
        hashes: of the pictures' files, n.
        beside: features by what runs beside the frozen tower, (n, F'), None where nothing does.
    """

    rows: list[str]
    features: Array
    groups: Ints
    labels: list[str | None]
    texts: list[str]
    owners: Ints
    which: Ints
    unread: int = 0
    hashes: list[str] = field(default_factory=list)
    beside: Numbers | None = None

    def __len__(self) -> int:
        return len(self.owners)

    def seen(self, pictures: Ints, beside: bool) -> Array:
        """Features of some pictures: the base's (n, F), and if asked those beside them, too."""
        features = self.features[pictures]
        if not beside or self.beside is None:
            return features
        return np.hstack([features, self.beside[pictures]])


def read_pairs(memory: Memory, encoder: Encoder | None = None) -> Pairs:
    """All pictures of a memory that have features, with their texts.

    Texts are captions, or the label in a short sentence where there is none; the tags in one; and
    questions with their first answer.

    Args:
        memory: to read from.
        encoder: texts that it does not read are left out; None keeps all.

    Raises:
        DataError: fewer than eight pictures have a text, or all have the same one.
    """
    with memory.snapshot():
        rows = [row for row in memory.rows() if row.hash is not None]
        found = memory.store.vectors.read("features", [row.number for row in rows])
    texts_by_row = {row.number: list(dict.fromkeys(_texts(row)))[:MOST_TEXTS] for row in rows}
    unread = sum(map(len, texts_by_row.values()))
    if encoder is not None:
        texts_by_row = {
            number: [t for t in its if encoder.supports_language(t)]
            for number, its in texts_by_row.items()
        }
    unread -= sum(map(len, texts_by_row.values()))
    rows = [row for row in rows if row.number in found and texts_by_row[row.number]]
    texts: dict[str, int] = {}
    owners, which = [], []
    for i, row in enumerate(rows):
        for text in texts_by_row[row.number]:
            owners.append(i)
            which.append(texts.setdefault(text, len(texts)))
    if len(rows) < FEWEST:
        raise DataError(
            f"{memory.path} has {len(rows)} pictures with a text, a label, tags or questions that "
            f"the encoder reads ({unread:,} texts are in another language). Training the retriever "
            f"takes at least {FEWEST}, and is worth it from some hundreds."
        )
    if len(texts) < 2:
        raise DataError(
            f"All {len(rows):,} pictures in {memory.path} have one text, {next(iter(texts))!r}. "
            "There is nothing to tell apart: give them captions or labels that differ."
        )
    return Pairs(
        rows=[row.id for row in rows],
        features=np.stack([found[row.number] for row in rows]),
        groups=np.array([row.group for row in rows], np.int64),
        labels=[row.label for row in rows],
        texts=list(texts),
        owners=np.array(owners, np.int64),
        which=np.array(which, np.int64),
        unread=unread,
        hashes=[row.hash or "" for row in rows],
    )


def only(pairs: Pairs, pictures: Ints) -> Pairs:
    """The pairs of some pictures alone; texts that no picture has any more stay where they are."""
    kept = pairs_of(pairs, pictures)
    return replace(
        pairs,
        rows=[pairs.rows[i] for i in pictures],
        features=pairs.features[pictures],
        groups=pairs.groups[pictures],
        labels=[pairs.labels[i] for i in pictures],
        owners=np.searchsorted(pictures, pairs.owners[kept]),
        which=pairs.which[kept],
        hashes=[pairs.hashes[i] for i in pictures],
    )


def split(
    pairs: Pairs, memory: Memory, validation: float | str, test: float | str, seed: int
) -> tuple[Ints, Ints, Ints]:
    """Pictures for training, validation and test, (n,) in all; near-duplicates stay together.

    Args:
        pairs: to split.
        memory: that they are from.
        validation, test: a share of the pictures, or a filter that names them.
        seed: of the draw.

    Raises:
        DataError: a part would be empty. A picture that both filters name is for the test.
    """
    part = np.zeros(len(pairs.rows), np.int64)
    for number, wanted in ((2, test), (1, validation)):
        if isinstance(wanted, str):
            named = {row.id for row in memory.rows(wanted)}
            chosen = np.array([id in named for id in pairs.rows])
            if not chosen.any():
                raise DataError(f"The filter {wanted!r} names no picture that has a text.")
            chosen |= np.isin(pairs.groups, pairs.groups[chosen])  # with their near-duplicates
            part[chosen & (part == 0)] = number
    for number, wanted in ((2, test), (1, validation)):
        if not isinstance(wanted, str):
            part[_draw(pairs.groups, part, wanted, seed + number)] = number
    parts = tuple(np.flatnonzero(part == number) for number in (0, 1, 2))
    for name, chosen in zip(("training", "validation", "test"), parts, strict=True):
        if len(chosen) < 2:
            raise DataError(
                f"{len(chosen)} of the {len(pairs.rows):,} pictures are left for {name}; give this "
                "part more, with another share or filter."
            )
    return parts[0], parts[1], parts[2]


def _draw(groups: Ints, part: Ints, share: float, seed: int) -> Ints:
    """Whole groups of free pictures, drawn by chance, until they are about this share of all."""
    wanted = min(LARGEST, max(2, round(share * len(groups))))
    order = np.random.default_rng(seed).permutation(np.unique(groups[part == 0]))
    ranks = np.full(int(groups.max()) + 1, len(groups), np.int64)
    ranks[order] = np.arange(len(order))
    free = np.flatnonzero(part == 0)
    free = free[np.argsort(ranks[groups[free]], kind="stable")]
    stop = min(wanted, len(free))
    while 0 < stop < len(free) and groups[free[stop]] == groups[free[stop - 1]]:
        stop += 1
    return free[:stop]


def pairs_of(pairs: Pairs, pictures: Ints) -> Ints:
    """Positions of the pairs whose picture is among these."""
    return np.flatnonzero(np.isin(pairs.owners, pictures))


def relevant(pairs: Pairs, chosen: Ints) -> tuple[Ints, list[Ints], list[Ints]]:
    """What belongs together among some pictures.

    Args:
        pairs: of them and others.
        chosen: positions of n pictures, ascending.

    Returns:
        Positions of their m texts; of each text its pictures, as positions among the chosen; and
        of each picture its texts, as positions among the m.
    """
    own = pairs_of(pairs, chosen)
    which, positions = np.unique(pairs.which[own], return_inverse=True)
    pictures = np.searchsorted(chosen, pairs.owners[own])
    return (
        which,
        [pictures[positions == t] for t in range(len(which))],
        [positions[pictures == p] for p in range(len(chosen))],
    )


def _texts(row: Row) -> Iterator[str]:
    yield from row.texts
    if row.label and not row.texts:
        yield LABEL.format(row.label)
    if row.tags:
        yield TAGS.format(_listed(row.tags))
    for qa in row.qa:
        yield " ".join([qa.question, *qa.answers[:1]])


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
