"""The refit of classify, tag, or ask with a list of answers: two runs on the same examples.

Labels that only one of them knows are judged like the others: who does not know a label misses it,
unless the memory's vote knows it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ravl.encoders.base import Array
from ravl.tasks.labels.dataset import examples_of
from ravl.tasks.labels.evaluate import queries_of
from ravl.tasks.labels.evaluate_test import given, right
from ravl.tasks.labels.predictor import ChoosingPipeline
from ravl.tasks.labels.targets import LabelTargets
from ravl.training.examples import Examples
from ravl.training.paired_results import CHALLENGER, CHAMPION, ExampleResult, PairedResults, judges
from ravl.training.refit_hooks import RefitHooks


def refit_hooks(pipeline: ChoosingPipeline) -> RefitHooks:
    """How the run of a pipeline is fitted again."""
    predictor = pipeline.label_predictor
    targets = predictor.task
    return RefitHooks(
        predictor,
        targets.of,
        lambda row: ", ".join(sorted(targets.of(row))),
        compare_labels,
        targets.stratum,
        counted=True,
    )


def compare_labels(
    champion: ChoosingPipeline,
    challenger: ChoosingPipeline,
    examples: Examples,
    seed: int,
) -> PairedResults:
    """Let both answer pictures, none of which is shown itself or a near-duplicate.

    Args:
        champion, challenger: of the same task and memory.
        examples: pictures that neither has learned from.
        seed: of the intervals.
    """
    task = champion.label_predictor.task
    examples = examples_of(examples, task, champion.memory)
    results, names = _answers(task, champion, challenger, examples)
    truth = task.truth(examples.rows, names)

    return PairedResults(
        f"{task.unit}s",
        examples.rows,
        examples.groups,
        [task.question(row) for row in examples.rows],
        [", ".join(task.of(row)) or "nothing" for row in examples.rows],
        {
            who: [_words(line, names, one.limits) for line in one.probabilities]
            for who, one in results.items()
        },
        {
            who: right(one.probabilities, truth, one.limits).astype(np.float32)
            for who, one in results.items()
        },
        *judges(task.output_kind, results, truth, examples.groups, seed),
    )


def _answers(
    task: LabelTargets,
    champion: ChoosingPipeline,
    challenger: ChoosingPipeline,
    examples: Examples,
) -> tuple[dict[str, ExampleResult], list[str]]:
    """By whom, for all labels that any of the two could answer, and these labels."""
    answers = {
        who: (model, model.judge(queries_of(model, examples), examples.shown))
        for who, model in ((CHAMPION, champion), (CHALLENGER, challenger))
    }
    names = list(
        dict.fromkeys(
            name
            for model, found in answers.values()
            for name in (found.names if task.exclusive else model.label_predictor.labels)
        )
    )
    results = {
        who: ExampleResult(
            _spread(found.probabilities, found.names, names, 0.0),
            None
            if task.exclusive
            else _spread(model.label_predictor.limits(found.names)[None], found.names, names, 1.0)[
                0
            ],
        )
        for who, (model, found) in answers.items()
    }
    return results, names


def _words(line: Array, names: Sequence[str], limits: Array | None) -> tuple[str, float]:
    found = given(line, names, limits)
    return ", ".join(found) or "nothing", float(line.max(initial=0))


def _spread(found: Array, own: Sequence[str], names: Sequence[str], absent: float) -> Array:
    """Columns of one's own names (n, C') as those of all names, (n, C)."""
    places = {name: i for i, name in enumerate(own)}
    wide = np.full((len(found), len(names)), absent, np.float32)
    there = [i for i, name in enumerate(names) if name in places]
    wide[:, there] = np.clip(found[:, [places[names[i]] for i in there]], 0, 1)
    return wide
