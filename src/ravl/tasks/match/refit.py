"""The refit of match: two runs on the same pairs of pictures and texts."""

from __future__ import annotations

from functools import partial

import numpy as np

from ravl.evaluation import BINARY
from ravl.runs.row_texts import readable
from ravl.tasks.match.evaluate import pairs_of_examples
from ravl.tasks.match.model import MatchPipeline
from ravl.tasks.match.results import NO, YES
from ravl.training.examples import Examples
from ravl.training.paired_results import CHALLENGER, CHAMPION, ExampleResult, PairedResults, judges
from ravl.training.refit_hooks import RefitHooks

WORDS = {True: YES, False: NO}


def refit_hooks(pipeline: MatchPipeline) -> RefitHooks:
    """How a run is fitted again.

    Args:
        pipeline: of the run.
    """
    says = partial(readable, pipeline.match_predictor.task, pipeline.base)
    return RefitHooks(
        pipeline.match_predictor, says, lambda row: " / ".join(says(row)), compare_pairs
    )


def compare_pairs(
    champion: MatchPipeline, challenger: MatchPipeline, examples: Examples, seed: int
) -> PairedResults:
    """Let both judge the pictures' own texts, and as many that belong to others of them.

    Args:
        champion, challenger: of the same memory.
        examples: pictures that neither has learned from.
        seed: of the wrong texts, and of the intervals.

    Raises:
        DataError: all pictures have the same texts.
    """
    asked, hidden, targets = pairs_of_examples(champion, examples, seed)
    found = {
        who: model.judge(asked, hidden)
        for who, model in ((CHAMPION, champion), (CHALLENGER, challenger))
    }
    rows = [examples.rows[i] for i in asked.picture.tolist()]
    groups = examples.groups[asked.picture]

    results = {who: ExampleResult(one.probabilities, one.threshold) for who, one in found.items()}
    fits = {who: one.probabilities >= one.threshold for who, one in found.items()}
    return PairedResults(
        "pairs",
        rows,
        groups,
        [asked.texts[i] for i in asked.text.tolist()],
        [WORDS[bool(target)] for target in targets],
        {
            who: [
                (WORDS[bool(yes)], float(p if yes else 1 - p))
                for yes, p in zip(fits[who], one.probabilities, strict=True)
            ]
            for who, one in found.items()
        },
        {who: (its == targets).astype(np.float32) for who, its in fits.items()},
        *judges(BINARY, results, targets, groups, seed),
    )
