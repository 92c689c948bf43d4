"""The refit of the tasks that write, caption and open ask: two runs on the same examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from ravl.evaluation import Score, generation
from ravl.evaluation.generation import answers, cider
from ravl.retrieval.datastore import Ints
from ravl.tasks.caption.evaluate import examples_seen
from ravl.tasks.caption.writer import TextPipeline
from ravl.training.examples import Examples
from ravl.training.paired_results import CHALLENGER, CHAMPION, PairedResults
from ravl.training.refit_hooks import RefitHooks

T = TypeVar("T")


def refit_hooks(pipeline: TextPipeline) -> RefitHooks:
    """How the run of a pipeline is fitted again."""
    says = pipeline.task.of
    return RefitHooks(pipeline.fitted, says, lambda row: " / ".join(says(row)), compare_texts)


def compare_texts(
    champion: TextPipeline,
    challenger: TextPipeline,
    examples: Examples,
    seed: int,
) -> PairedResults:
    """Let both write about pictures, none of which is shown itself or a near-duplicate.

    Args:
        champion, challenger: of the same task and memory.
        examples: pictures that neither has learned from.
        seed: of the intervals.
    """
    written: dict[str, list[str]] = {}
    results: dict[str, list[tuple[str, float]]] = {}
    for who, writer in ((CHAMPION, champion), (CHALLENGER, challenger)):
        shown_to, seen, texts = examples_seen(writer, examples)
        results[who] = [(a.said, a.confidence) for a in writer.results(seen, shown_to.shown)]
        written[who] = [text for text, _ in results[who]]
    kind = writer.task.output_kind
    groups = shown_to.groups

    def some(its: Sequence[T], chosen: Ints) -> list[T]:
        return [its[i] for i in chosen.tolist()]

    def measured(who: str, chosen: Ints) -> dict[str, Score]:
        return generation.measure_text(
            kind, some(written[who], chosen), some(texts, chosen), groups=groups[chosen], seed=seed
        )

    def compared(chosen: Ints) -> dict[str, Score]:
        return generation.compare_texts(
            kind,
            some(written[CHALLENGER], chosen),
            some(written[CHAMPION], chosen),
            some(texts, chosen),
            groups=groups[chosen],
            seed=seed,
        )

    whole = writer.task.whole
    worth = answers.exact if whole else cider.scores
    return PairedResults(
        f"{writer.task.unit}s",
        shown_to.rows,
        groups,
        [writer.task.question(row) or None for row in shown_to.rows],
        [" / ".join(its) for its in texts],
        results,
        {who: np.asarray(worth(its, texts), np.float32) for who, its in written.items()},
        measured,
        compared,
        None if whole else generation.PRIMARY[kind],
    )
