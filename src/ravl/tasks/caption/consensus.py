"""What the memory itself would say about a picture: its neighbours' texts, by their consensus.

Texts that stay whole are chosen by it, such as answers, and generators read it. Captions are
composed anew of the neighbours': see :mod:`ravl.tasks.caption.composer`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ravl.encoders.base import Array
from ravl.models.consensus import Comparable, support
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Ints, Neighbours
from ravl.runs.row_texts import RowTexts

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from ravl.tasks.caption.composer import Captions

MOST = 10  # texts of a row that count; of more the first
# On Flickr8k 0.43 CIDEr-D; from 0.40 to 0.43 with 30 to 100 rows and temperatures of 0.03 to 0.2.
CONSENSUS = Vote(k=100, temperature=0.1)
CJK = re.compile("[⺀-鿿가-힯぀-ヿ]")
NEAR = 1 / 8  # of a small memory: more rows than that are not near any more


def consensus(rows: int, k: int = CONSENSUS.k) -> Vote:
    """How the neighbours' texts count in a memory of so many rows that say something."""
    return replace(CONSENSUS, k=max(4, min(k, round(NEAR * rows))))


@dataclass(frozen=True, eq=False)
class CaptionIndex:
    """The texts of the rows of a datastore, ready to be compared.

    Args:
        row_texts: texts of the rows.
        phrases: of all of them.
        whole: texts are answers, which are the same or not: as in a vote a row's own count for it,
            and a generator's probability is that of the whole text.
    """

    row_texts: RowTexts
    phrases: Comparable
    whole: bool = False

    def vectors(self, positions: Ints) -> csr_matrix:
        """Phrases of some of the texts, sparse (t, V)."""
        return self.phrases([self.row_texts.texts[i] for i in positions.tolist()])

    def spoken(self, row: int) -> Ints:
        """Positions of a row's texts that count, without those in another script than its first.

        These are translations: texts in Chinese, compared by their characters, are so much more
        like each other that they would always win.
        """
        first = int(self.starts[row])
        last = min(int(self.starts[row + 1]), first + MOST)
        own = bool(CJK.search(self.row_texts.texts[first])) if last > first else False
        same = [i for i in range(first, last) if bool(CJK.search(self.row_texts.texts[i])) == own]
        return np.array(same, np.int64)

    @property
    def starts(self) -> Ints:
        """Position of each row's first text, (N + 1,)."""
        return self.row_texts.starts


@dataclass(frozen=True, eq=False)
class ConsensusTexts:
    """The neighbours' texts about one picture, the best supported first.

    Args:
        texts: positions among the texts, (t,); of several equal ones the first.
        support: how far the other rows agree, (t,), 0 to 1.
        rows: whose they are, positions in the datastore, (t,).
        voters: all texts that speak, (v,), and ``shares`` (v,) of each.
        captions: of which new texts can be composed; None where texts stay whole.
    """

    texts: Ints
    support: Array
    rows: Ints
    voters: Ints
    shares: Array
    captions: Captions | None = None

    @classmethod
    def of_nobody(cls) -> ConsensusTexts:
        """No texts: nobody speaks."""
        none, nothing = np.zeros(0, np.int64), np.zeros(0, np.float32)
        return cls(none, nothing, none, none, nothing)

    def weighted_texts(self, index: CaptionIndex) -> list[tuple[str, float]]:
        """All texts that speak, with their shares."""
        texts = index.row_texts.texts
        return [(texts[t], s) for t, s in zip(self.voters, self.shares.tolist(), strict=True)]

    def text_of(self, index: CaptionIndex, row: int) -> str:
        """The best supported text of a row that says something."""
        found = np.flatnonzero(self.rows == row)
        return index.row_texts.texts[int(self.texts[found[0]] if len(found) else index.starts[row])]

    def said_by(self, index: CaptionIndex, row: int) -> str:
        """The text of a row that counts most; of texts that count the same the best supported."""
        own = np.flatnonzero(index.row_texts.owners[self.voters] == row)
        if not len(own) or np.ptp(self.shares[own]) == 0:
            return self.text_of(index, row)
        return index.row_texts.texts[int(self.voters[own[self.shares[own].argmax()]])]

    def agreement(self, index: CaptionIndex, texts: Sequence[str]) -> Array:
        """How far the neighbours' texts agree with other ones, (n,)."""
        if self.captions is not None and texts:
            return self.captions.agreement(texts)
        if not len(self.voters) or not texts:
            return np.zeros(len(texts), np.float32)
        return support(index.phrases(texts), index.vectors(self.voters), self.shares, None)


def recall(
    index: CaptionIndex, neighbours: Neighbours, vote: Vote = CONSENSUS
) -> list[ConsensusTexts]:
    """The texts of n queries' neighbours, see :class:`ConsensusTexts`.

    A row's share of the vote is divided among its texts, and a row does not vote for its own texts.

    Args:
        index: of the datastore's texts.
        neighbours: neighbours of the queries.
        vote: how they vote.
    """
    neighbours = neighbours.first(vote.k)
    shares = vote.shares(neighbours, index.row_texts.has.astype(np.float32))  # (n, k)
    return [
        _recalled(index, line[found], share[found])
        for line, share, found in zip(neighbours.positions, shares, shares > 0, strict=True)
    ]


def _recalled(index: CaptionIndex, rows: Ints, shares: Array) -> ConsensusTexts:
    spans = [index.spoken(row) for row in rows.tolist()]
    counts = np.array([len(span) for span in spans], np.int64)
    voters: Ints = np.concatenate([np.zeros(0, np.int64), *spans])
    if not len(voters):
        return ConsensusTexts.of_nobody()
    owners = np.repeat(rows, counts)
    each = np.repeat(shares / counts, counts).astype(np.float32)
    vectors = index.vectors(voters)
    own: NDArray[np.bool_] = owners[:, None] == owners
    alone = len(rows) == 1 or index.whole  # then nobody else need agree
    found = support(vectors, vectors, each, None if alone else own)
    order = np.argsort(-found, kind="stable")
    seen: set[str] = set()
    kept: list[int] = []
    for i in order.tolist():
        text = index.row_texts.texts[voters[i]]
        if text not in seen:
            seen.add(text)
            kept.append(i)
    return ConsensusTexts(voters[kept], found[kept], owners[kept], voters, each)
