"""Two models of match on the same pairs of pictures and texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ravl.evaluation import Score, compare, measure
from ravl.refitting.examined import CHALLENGER, CHAMPION, Examined
from ravl.retrieval.bank import Ints
from ravl.tasks.model import Model
from ravl.training.labelled import Labelled
from ravl.training.match.evaluating import pairs_of_examples

WORDS = {True: "fits", False: "does not fit"}


def examine_pairs(champion: Model, challenger: Model, labelled: Labelled, seed: int) -> Examined:
    """Let both judge the pictures' own texts, and as many that belong to others of them.

    Args:
        champion, challenger: of the same memory.
        labelled: pictures that neither has learned from.
        seed: of the wrong texts, and of the intervals.

    Raises:
        DataError: all pictures have the same texts.
    """
    asked, hidden, targets = pairs_of_examples(champion.predictor, labelled, seed)
    found = {
        who: model.predictor.judge(asked, hidden)
        for who, model in ((CHAMPION, champion), (CHALLENGER, challenger))
    }
    rows = [labelled.rows[i] for i in asked.picture.tolist()]
    groups = labelled.groups[asked.picture]

    def how(chosen: Ints) -> dict[str, Any]:
        return {"groups": groups[chosen], "seed": seed}

    def measured(who: str, chosen: Ints) -> dict[str, Score]:
        one = found[who]
        return measure(
            "match", one.probabilities[chosen], targets[chosen], thresholds=one.threshold,
            **how(chosen),
        )  # fmt: skip

    def compared(chosen: Ints) -> dict[str, Score]:
        new, old = found[CHALLENGER], found[CHAMPION]
        return compare(
            "match", new.probabilities[chosen], old.probabilities[chosen], targets[chosen],
            thresholds_after=new.threshold, thresholds_before=old.threshold, **how(chosen),
        )  # fmt: skip

    fits = {who: one.probabilities >= one.threshold for who, one in found.items()}
    return Examined(
        "match", "pairs", rows, groups, [asked.texts[i] for i in asked.text.tolist()],
        [WORDS[bool(target)] for target in targets],
        {who: [(WORDS[bool(yes)], float(p if yes else 1 - p))
               for yes, p in zip(fits[who], one.probabilities, strict=True)]
         for who, one in found.items()},
        {who: (its == targets).astype(np.float32) for who, its in fits.items()},
        measured, compared,
    )  # fmt: skip
