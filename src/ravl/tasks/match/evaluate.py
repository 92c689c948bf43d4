"""``ravl evaluate`` of a match run: true and shuffled pairs of pictures that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ravl.data import ColumnNames
from ravl.errors import DataError
from ravl.evaluation import BINARY, Score, compare, measure
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.retrieval.datastore import Ints
from ravl.runs.answers import Answer
from ravl.runs.row_texts import readable
from ravl.tasks.match.dataset import sample_pairs
from ravl.tasks.match.model import MatchPipeline
from ravl.tasks.match.predictor import PairScores, QueryPairs
from ravl.tasks.match.task import MatchTask
from ravl.tasks.model import Model
from ravl.training.dual_encoder.example_pairs import read_texts
from ravl.training.dual_encoder.pairs import Pairs
from ravl.training.evaluation import answer_rows, evaluation_json, learned_from
from ravl.training.example_source import judged
from ravl.training.examples import Examples, read_labelled


def evaluate_match(
    model: Model | MatchPipeline,
    data: str | Path,
    *,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
    progress: bool | None = None,
    seed: int = 0,
) -> JsonObject:
    """Scores of a run on pictures with texts; see :func:`ravl.tasks.fit.evaluate`.

    As many shuffled pairs are added as there are true ones. Rows that show a pair's picture, or
    the picture that its text is about, are hidden from it.

    Args:
        model: a :class:`MatchPipeline`, or one that has it as ``predictor``.
        data, columns, root, progress, seed: as there.

    Raises:
        DataError: fewer than two pictures with texts that the encoder reads.
    """
    predictor: MatchPipeline = model.predictor if isinstance(model, Model) else model
    memory = predictor.memory
    with judged(memory, data, columns, progress, root) as (source, where):
        examples = _read(predictor, source, memory, where)
        asked, hidden, targets = pairs_of_examples(predictor, examples, seed)
        return _scores(predictor, asked, hidden, targets, examples, seed)


def answer_examples(
    model: MatchPipeline, examples: Examples, random: np.random.Generator
) -> Sequence[Answer]:
    """Each picture with a text of its own; see :meth:`ravl.tasks.contract.Task.answer_examples`."""
    of_rows = [readable(model.match_predictor.task, model.base, row) for row in examples.rows]
    texts = [its[int(random.integers(len(its)))] for its in of_rows]
    each = np.arange(len(texts))
    return model.results(model.asked(examples.features, texts, each, each), examples.shown)


def pairs_of_examples(
    model: MatchPipeline, examples: Examples, seed: int
) -> tuple[QueryPairs, list[Ints], Ints]:
    """True and shuffled pairs of pictures and their texts.

    Args:
        model: that will be asked.
        examples: n pictures, with texts that the encoder reads.
        seed: of the shuffled ones.

    Returns:
        The pairs; for each the groups of the memory that it must not see; 1 for a true one, else 0.

    Raises:
        DataError: all pictures have the same texts.
    """
    pairs, vectors = read_texts(model.match_predictor.task, model.base, examples)
    picture, text, targets = sample_pairs(pairs, np.arange(len(examples)), seed, "test")
    views = model.base.project(examples.features)
    asked = QueryPairs(examples.features, views, pairs.texts, vectors, picture, text)
    return asked, _hidden(pairs, examples, picture, text), targets


def _scores(
    model: MatchPipeline,
    asked: QueryPairs,
    hidden: list[Ints],
    targets: Ints,
    examples: Examples,
    seed: int,
) -> JsonObject:
    groups = examples.groups[asked.picture]

    def measured(found: PairScores) -> dict[str, Score]:
        limit = found.threshold
        return measure(
            BINARY, found.probabilities, targets, thresholds=limit, groups=groups, seed=seed
        )

    def compared(after: PairScores, before: PairScores) -> dict[str, Score]:
        return compare(
            BINARY,
            after.probabilities,
            before.probabilities,
            targets,
            thresholds_after=after.threshold,
            thresholds_before=before.threshold,
            groups=groups,
            seed=seed,
        )

    rows = answer_rows(
        lambda retrieval, vote_only: model.judge(
            asked, hidden, retrieval=retrieval, vote_only=vote_only
        ),
        model.match_predictor.has_model,
    )
    counts = {
        "pictures": len(examples),
        "learned_from": learned_from(model.run, examples.rows),
        "pairs": len(targets),
    }
    return evaluation_json(MatchTask.name, rows, measured, compared, examples.rejected, **counts)


def _read(model: MatchPipeline, source: Memory, memory: Memory, where: str | None) -> Examples:
    task, base = model.match_predictor.task, model.base
    examples = read_labelled(source, memory, lambda row: readable(task, base, row), where)
    if len(np.unique(examples.groups)) < 2:
        raise DataError(
            f"{len(examples)} pictures of the data have a text that the encoder reads; it takes "
            "two that are not near-duplicates for a false pair. Name a table with columns image "
            "and caption."
        )
    return examples


def _hidden(pairs: Pairs, examples: Examples, picture: Ints, text: Ints) -> list[Ints]:
    """For each pair the groups of the memory that show its picture, or what its text is about."""
    about: list[set[int]] = [set() for _ in pairs.texts]
    for one, which in zip(pairs.owners.tolist(), pairs.which.tolist(), strict=True):
        about[which].update(examples.shown[one].tolist())
    return [
        np.array(sorted(about[t] | set(examples.shown[p].tolist())), np.int64)
        for p, t in zip(picture.tolist(), text.tolist(), strict=True)
    ]
