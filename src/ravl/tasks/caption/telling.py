"""An answer made of proposals: the chosen text with its confidence, its rivals and its evidence."""

from __future__ import annotations

import numpy as np

from ravl.models.generation.base import Candidate, Decoding
from ravl.retrieval.datastore import Neighbours
from ravl.tasks.caption.consensus import CaptionIndex
from ravl.tasks.caption.diverse import diverse
from ravl.tasks.caption.evidence import evidence_of
from ravl.tasks.caption.predictor import TextPredictor
from ravl.tasks.caption.proposals import MEMORY, Proposals
from ravl.tasks.caption.results import Caption

SHOWN = 5  # candidates of an answer with their scores


def caption_of(
    predictor: TextPredictor,
    index: CaptionIndex,
    found: Proposals,
    confidence: float,
    least: float,
    level: str,
    neighbours: Neighbours | None,
    i: int,
    how: Decoding,
) -> Caption:
    """What is answered about picture ``i``, of which these are the proposals.

    Args:
        predictor: who answers.
        index: of the datastore's texts.
        found: proposals for the picture, the chosen one first.
        confidence: in the chosen one.
        least: confidence below which it abstains.
        level: who was asked, see :mod:`ravl.tasks.caption.levels`.
        neighbours: neighbours of all pictures; None without retrieval.
        i: which picture.
        how: the decoding.
    """
    gate = {"memory": 1.0, "alone": 0.0}.get(level)
    if gate is None:
        gate = predictor.chooser.share(MEMORY) if predictor.chooser is not None else 0.0
    others = diverse(index.phrases(found.texts), found.total, how.num_return_sequences)[1:]
    memory: dict[str, float] = {}
    if found.recalled is not None:
        top = zip(found.recalled.texts[:SHOWN], found.recalled.support[:SHOWN], strict=True)
        memory = {index.row_texts.texts[t]: float(s) for t, s in top}
    likely = sorted(found.written.values(), key=lambda c: -likelihood(c, index.whole))[:SHOWN]
    return Caption(
        text=found.best,
        written=bool(found.texts) and bool(found.rows[0] < 0),
        parts=_parts(index, found),
        others=tuple(found.texts[j] for j in others),
        confidence=confidence,
        abstained=confidence < least or not found.texts,
        gate=gate,
        scores=dict(zip(found.texts[:SHOWN], found.total[:SHOWN].tolist(), strict=True)),
        memory=memory,
        model={c.text: likelihood(c, index.whole) for c in likely if c.mean <= 0},
        signals={n: float(v[0]) for n, v in found.scores.items() if len(v)},
        evidence=() if neighbours is None else evidence_of(index, found, neighbours, i, gate),
    )


def _parts(index: CaptionIndex, found: Proposals) -> dict[str, str]:
    """Phrases of the chosen text, and the ids of the rows that say them."""
    if found.recalled is None or found.recalled.captions is None:
        return {}
    rows = index.row_texts.datastore.rows
    return {phrase: rows[r].id for phrase, r in found.recalled.captions.parts(found.best).items()}


def likelihood(candidate: Candidate, whole: bool) -> float:
    """Probability of a text as a whole, or of a word of it; NaN if the generator gives none."""
    return float(np.exp(candidate.log_probability if whole else candidate.mean))
