"""Proposals: the texts among which one is chosen for a picture, with the support of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ravl.encoders.base import Array
from ravl.models.consensus import support
from ravl.models.generation.base import Candidate, Decoding
from ravl.models.generation.candidate_ranker import CandidateRanker
from ravl.models.generation.phrases import keeps
from ravl.models.generation.schemas import satisfies
from ravl.retrieval.datastore import Ints
from ravl.tasks.caption.consensus import CaptionIndex, ConsensusTexts

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from ravl.models.minimum_risk import Sentence
    from ravl.tasks.caption.composer import Captions

BY_GENERATOR, BY_COMPOSER = -1, -2  # in place of the row that says a text
OFFERED = 5  # texts of the memory that are candidates beside the generator's
MEMORY, WRITTEN = ("support",), ("likelihood", "agreement")  # scores of candidates
FITS = "fits"  # where a dual encoder was trained


@dataclass(frozen=True, eq=False)
class Proposals:
    """The texts among which one is chosen for a picture, the best first.

    Args:
        texts: c of them.
        scores: (c,) by name; all that the chooser takes.
        total: the chooser's score, (c,).
        rows: position in the datastore of the row that says it, ``BY_GENERATOR`` or
            ``BY_COMPOSER`` for a new one, (c,).
        written: what the generator wrote or rated, by its text.
        recalled: the texts of the memory; None without retrieval.
    """

    texts: list[str]
    scores: dict[str, Array]
    total: Array
    rows: Ints
    written: dict[str, Candidate] = field(default_factory=dict)
    recalled: ConsensusTexts | None = None

    @property
    def best(self) -> str:
        """The chosen text; empty where there is none."""
        return self.texts[0] if self.texts else ""

    def ordered(self, chooser: CandidateRanker) -> Proposals:
        """The same in another chooser's order."""
        total = chooser(self.scores)
        order = np.argsort(-total, kind="stable")
        return replace(
            self,
            texts=[self.texts[i] for i in order],
            total=total[order],
            rows=self.rows[order],
            scores={name: values[order] for name, values in self.scores.items()},
        )


def complies(text: str, how: Decoding) -> bool:
    """True if a text has all that a decoding requires, and nothing that it forbids."""
    if how.grammar or how.nouns is not None:
        return False  # only what was written under them is known to satisfy them
    return keeps(text, how) and (not how.schema or satisfies(text, how.schema))


def of_memory(
    index: CaptionIndex, recalled: ConsensusTexts, offered: list[int], how: Decoding
) -> Proposals:
    """The memory's texts alone, and new ones where such are composed of them.

    Args:
        index: of the datastore's texts.
        recalled: what the memory says.
        offered: positions among its texts of the best whole ones.
        how: the decoding, which all texts comply with.
    """
    if recalled.captions is not None:
        found = _composed(recalled.captions, how)
        if found.texts:
            return found
    places = {t: i for i, t in enumerate(recalled.texts.tolist())}
    chosen = np.array([places[t] for t in offered], np.int64)
    support = recalled.support[chosen]
    texts = [index.row_texts.texts[t] for t in offered]
    return Proposals(texts, {"support": support}, support, recalled.rows[chosen], {}, recalled)


def _composed(captions: Captions, how: Decoding) -> Proposals:
    """New texts and whole ones by what they are worth, and the captions behind the best."""
    by_text: dict[str, Sentence] = {}
    for sentence in captions.composed():
        text = captions.text(sentence.words)
        if complies(text, how):
            by_text.setdefault(text, sentence)
    texts, found = list(by_text), by_text.values()
    return Proposals(
        texts,
        {"support": captions.agreement(texts)},
        np.array([sentence.score for sentence in found], np.float32),
        np.array([captions.row_of(sentence.words) for sentence in found], np.int64),
        {},
        captions.behind(texts[0]) if texts else None,
    )


def new_texts(recalled: ConsensusTexts, how: Decoding) -> list[str]:
    """The best texts that are composed of the memory's, as many as of its whole ones."""
    captions = recalled.captions
    if captions is None:
        return []
    texts = (captions.text(sentence.words) for sentence in captions.composed())
    return [text for text in texts if complies(text, how)][:OFFERED]


def mixed(
    index: CaptionIndex,
    both: dict[str, Candidate],
    written: Sequence[Candidate],
    recalled: ConsensusTexts | None,
    offered: Sequence[int],
    chooser: CandidateRanker | None,
    fits: Array | None,
) -> Proposals:
    """Written texts and the memory's in one order.

    Args:
        index: of the datastore's texts.
        both: all candidates by their texts; what was written counts as written.
        written: by the generator, the likeliest first.
        recalled: what the memory says; None without retrieval.
        offered: positions of the memory's candidates among its texts.
        chooser: whose order it is; None for the generator's, before the memory's.
        fits: how well each candidate fits, (c,); None where nothing tells.
    """
    new = {candidate.text for candidate in written}
    own = {
        index.row_texts.texts[t]: t
        for t in offered
        if index.row_texts.texts[t] in both.keys() - new
    }
    texts = list(both)
    vectors = index.phrases(texts)
    scores = {
        "likelihood": _finite(
            [c.log_probability if index.whole else c.mean for c in both.values()]
        ),
        "agreement": _agreement(vectors, texts, written),
    }
    if fits is not None:
        scores[FITS] = fits
    rows = np.array([BY_GENERATOR if t in new else BY_COMPOSER for t in texts], np.int64)
    if recalled is not None:
        scores["support"] = recalled.agreement(index, texts)
        places = {t: i for i, t in enumerate(recalled.texts.tolist())}
        for i, text in enumerate(texts):
            if text in own:
                place = places[own[text]]
                rows[i] = recalled.rows[place]
                if recalled.captions is None:
                    scores["support"][i] = recalled.support[place]
    if chooser is not None:
        total = chooser(scores)
    else:  # the generator's order, before the memory's texts
        first = {c.text: -float(i) for i, c in enumerate(written)}
        total = np.array([first.get(t, -1e3 - i) for i, t in enumerate(texts)], np.float32)
    order = np.argsort(-total, kind="stable")
    return Proposals(
        [texts[i] for i in order],
        {n: v[order] for n, v in scores.items()},
        total[order],
        rows[order],
        both,
        recalled,
    )


def _agreement(vectors: csr_matrix, texts: Sequence[str], written: Sequence[Candidate]) -> Array:
    """How far each text agrees with what else the generator would write, by its probability."""
    places = {text: i for i, text in enumerate(texts)}
    voters = np.array([places[c.text] for c in written], np.int64)
    means = _finite([c.mean for c in written])
    shares = np.exp(means - means.max(initial=-np.inf)) if len(means) else means
    own = np.arange(len(texts))[:, None] == voters
    return support(vectors, vectors[voters], shares.astype(np.float32), own)


def _finite(values: Sequence[float]) -> Array:
    """The same, 0 for what a generator does not tell."""
    return np.nan_to_num(np.array(values, np.float32), nan=0.0)
