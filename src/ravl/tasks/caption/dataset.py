"""The data that every level of a predictor stands on: splits, evidence, and what may be seen.

The datastore leaves out all rows that show a held-out picture, and a training picture sees
no row that shows it, nor a near-duplicate of one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from ravl.encoders.base import Array
from ravl.errors import DataError
from ravl.memory import Memory, Row
from ravl.models.linear import Standardizer
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Datastore, Ints, Neighbours
from ravl.runs.evidence_arrays import EvidenceArrays
from ravl.tasks.caption.composer import NEAREST
from ravl.tasks.caption.consensus import CaptionIndex, ConsensusTexts, recall
from ravl.tasks.caption.predictor import Pictures
from ravl.tasks.caption.regions import Regions
from ravl.tasks.caption.targets import CaptionTargets
from ravl.training.evidence_bank import evidence
from ravl.training.examples import Examples
from ravl.training.splits import SPLIT_NAMES, Splits
from ravl.training.text_settings import TextSettings

FEWEST = 8  # training pictures with a text
MOST = 10  # texts of a picture that count
BEFORE_MARKS = re.compile(
    r"\s+([.,;:!?])(?=\s|$)"
)  # "a dog ." of corpora that were split into words


@dataclass(frozen=True, eq=False)
class TextSplit:
    """One split of the pictures.

    Args:
        examples: n of them.
        texts: of each, at least one.
        neighbours: rows of the datastore that speak and do not show it, as deep as anything looks.
        regions: of each picture, standardised, (n, R, G); None if regions are not used.
        questions: asked about each; None where they are described.
        passages: what texts without a picture say of each; see :class:`Pictures`.
        blind: the pictures are not to be seen.
    """

    examples: Examples
    texts: list[list[str]]
    neighbours: Neighbours
    regions: Array | None = None
    questions: list[str] | None = None
    passages: list[list[tuple[str, float]]] | None = None
    blind: bool = False

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def pictures(self) -> Pictures:
        """What a predictor is asked about."""
        source = self.examples.source
        looks = None if self.blind else [partial(source.picture, r) for r in self.examples.rows]
        return Pictures(self.examples.features, looks, self.regions, self.questions, self.passages)

    def take(self, chosen: Ints) -> TextSplit:
        """Some of them."""
        places = chosen.tolist()
        return replace(
            self,
            examples=self.examples.take(chosen),
            texts=[self.texts[i] for i in places],
            neighbours=self.neighbours.take(chosen),
            regions=None if self.regions is None else self.regions[chosen],
            questions=None if self.questions is None else [self.questions[i] for i in places],
            passages=None if self.passages is None else [self.passages[i] for i in places],
        )


@dataclass(frozen=True, eq=False)
class TextFitData:
    """All that fitting and judging a predictor needs.

    Args:
        memory: whose rows are evidence.
        task: what is written, and where the texts are that speak.
        settings: of the fit.
        index: of the texts of the datastore, which is without what is held out.
        keys: by which examples are compared.
        standard: of the training examples' features.
        examples: all pictures with texts.
        splits: of them.
        train, validation, test: these splits.
        regions: how a generator looks at parts of pictures; None for one that does not.
    """

    memory: Memory
    task: CaptionTargets
    settings: TextSettings
    index: CaptionIndex
    keys: Any
    standard: Standardizer
    examples: Examples
    splits: Splits
    train: TextSplit
    validation: TextSplit
    test: TextSplit
    regions: Regions | None = None

    @property
    def datastore(self) -> Datastore:
        """The rows that may be evidence."""
        return self.index.row_texts.datastore

    @property
    def vote(self) -> Vote:
        """How neighbours' texts count."""
        return self.task.vote(int(self.index.row_texts.has.sum()), self.settings.k)

    def recalled(self, side: TextSplit) -> list[ConsensusTexts]:
        """What the memory says of a split's pictures."""
        return recall(self.index, side.neighbours, self.vote)

    @cached_property
    def arrays(self) -> EvidenceArrays:
        """What a generator reads of each row of the datastore: picture and mean text."""
        row_texts = self.index.row_texts
        nothing = np.broadcast_to(np.zeros(1, np.float32), row_texts.means.shape)
        return EvidenceArrays(
            self.standard(self.datastore.features),
            nothing,
            row_texts.means,
            np.zeros(len(self.datastore), bool),
            row_texts.has,
        )


def prepare(
    memory: Memory, task: CaptionTargets, settings: TextSettings, examples: Examples, splits: Splits
) -> TextFitData:
    """Make ready what is fitted on.

    Raises:
        DataError: too few training pictures, or no evidence.
    """
    taken = {
        name: examples_of(examples.take(getattr(splits, name)), task, memory)
        for name in SPLIT_NAMES
    }
    enough(len(taken["train"]), task)
    # Generated texts may speak, but nothing is learned from them, nor judged by them.
    speaking = replace(task, generated=settings.use_generated)
    kind: Any = speaking
    datastore, keys = evidence(memory, [taken["validation"], taken["test"]], kind)
    index = speaking.index_texts(datastore, memory)
    speaking = speaking.fitting(index.row_texts.texts)
    if not index.row_texts.texts:
        raise DataError(
            f"No picture in {memory.path} that is not held out has a text, so there is no "
            "evidence. Index captions, or let the training pictures be remembered."
        )
    deep = min(max(settings.k, 2 * settings.num_evidence), len(datastore))

    def side(part: Examples, deep: int) -> TextSplit:
        neighbours = datastore.neighbours(
            keys(part.features), deep, part.shown, index.row_texts.has
        )
        texts = [texts_of(task, row, bool(settings.schema)) for row in part.rows]
        questions = [task.question(row) for row in part.rows]
        return TextSplit(part, texts, neighbours, questions=questions if any(questions) else None)

    # Nothing is composed about training pictures.
    deeper = min(NEAREST, len(datastore)) if task.composes else deep
    sides = {
        name: side(part, deep if name == "train" else max(deep, deeper))
        for name, part in taken.items()
    }
    return TextFitData(
        memory,
        speaking,
        settings,
        index,
        keys,
        task.standard(taken["train"].features),
        examples,
        splits,
        sides["train"],
        sides["validation"],
        sides["test"],
    )


def examples_of(examples: Examples, task: CaptionTargets, memory: Memory) -> Examples:
    """What is written about, of some pictures: they themselves, or questions about them."""
    rows, features, owners = task.examples(examples.rows, examples.features, memory)
    return replace(examples.take(owners), rows=rows, features=features)


def enough(count: int, task: CaptionTargets) -> None:
    """Refuse too few training examples.

    Raises:
        DataError: says how many there must be.
    """
    if count < FEWEST:
        text = "an answer" if task.noun == "answer" else "a text"
        raise DataError(
            f"{count} {task.unit}s with {text} are left for training; at least {FEWEST} are "
            "needed. Bring more in, or hold out fewer."
        )


def texts_of(task: CaptionTargets, row: Row, compact: bool = False) -> list[str]:
    """The texts that a row says, as they are learned and judged.

    Captions are tidied up; the texts of a column, which may be code, stay as they are.

    Args:
        task: where they are.
        row: that says them.
        compact: write JSON without white space, as texts are that follow a schema.
    """
    texts = task.of(row)[:MOST]
    if compact:
        return [compacted(text) for text in texts]
    return (
        list(texts)
        if task.column
        else [BEFORE_MARKS.sub(r"\1", " ".join(t.split())) for t in texts]
    )


def compacted(text: str) -> str:
    """JSON without white space between its parts; text that is not JSON stays unchanged."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return text
