"""What rows say for the tasks that choose among names: classify (one label) and tag (several).

Ask, which chooses an answer to a question, is one of them as well: see
:class:`ravl.tasks.ask.targets.AnswerTargets`, which says otherwise what is said here for pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ravl.data.readers import values
from ravl.encoders import Encoder
from ravl.encoders.base import Array
from ravl.evaluation import MULTICLASS, MULTILABEL, OutputKind, Score
from ravl.evaluation.scores import Groups
from ravl.json_types import JsonRecord
from ravl.memory import Memory, Row
from ravl.models.evidence import Made
from ravl.models.linear import Standardizer
from ravl.retrieval.datastore import Datastore, Ints, read_datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.retrieval.live import Source, View
from ravl.runs.evidence_arrays import caption_means
from ravl.runs.generated import Filled, with_generated
from ravl.tasks import registry


@dataclass(frozen=True, slots=True)
class LabelTargets:
    """One label, or several tags.

    Args:
        name: of the task; its descriptor says whether there is one answer or several.
        column: of the user's own that holds the label or the tags; None for the usual field.
        generated: let what ``ravl augment`` wrote be evidence where people said nothing.
    """

    name: str
    column: str | None = None
    generated: bool = False

    @property
    def exclusive(self) -> bool:
        """True where a picture has one label."""
        return registry.task(self.name).single

    @property
    def output_kind(self) -> OutputKind:
        """What its probabilities are, see :func:`ravl.evaluation.measure`."""
        return MULTICLASS if self.exclusive else MULTILABEL

    @property
    def asks(self) -> bool:
        """True where a question comes with the picture, see :meth:`question`."""
        return False

    @property
    def novel_balance(self) -> float:
        """Votes of labels that only the memory knows are divided by their frequency to this power.

        Such a label has few rows, and no model predicts it (benchmarks/results/new_classes.md).
        """
        return 0.5

    @property
    def unit(self) -> str:
        """What one example is called."""
        return "picture"

    @property
    def noun(self) -> str:
        """What one answer is called."""
        return registry.task(self.name).noun

    def of(self, row: Row) -> tuple[str, ...]:
        """The names that a row says, empty where it says nothing."""
        if self.column is not None:
            value = row.columns.get(self.column)
            if value is None or value == "":
                return ()
            return (str(value),) if self.exclusive else tuple(values.tags(str(value)))
        if self.exclusive:
            return (row.label,) if row.label else ()
        return row.tags

    def to_json(self) -> dict[str, object]:
        """What ``run.json`` says of it."""
        return {"task": self.name, "column": self.column, "generated": self.generated}

    @classmethod
    def from_json(cls, record: JsonRecord) -> Self:
        """The inverse of :meth:`to_json`, from a whole ``run.json``."""
        return cls(record["task"], record["column"], bool(record.get("generated")))

    def names(self, rows: Sequence[Row], fewest: int = 1) -> list[str]:
        """All names that at least so many rows say, sorted."""
        counts = Counter(name for row in rows for name in set(self.of(row)))
        return sorted(name for name, count in counts.items() if count >= fewest)

    def truth(self, rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.int64]:
        """What metrics compare with: positions of labels (n,), or the table of tags (n, C).

        A label that is not in the names is -1: it always counts as wrong.
        """
        table = self.table(rows, names)
        if not self.exclusive:
            return table.astype(np.int64)
        return np.where(table.sum(1) > 0, table.argmax(1), -1)

    def stratum(self, row: Row) -> str:
        """What drawn parts have alike: the label; any one name where there is no such thing."""
        return self.of(row)[0] if self.exclusive else ""

    def question(self, row: Row) -> str | None:  # noqa: ARG002 (for those that override it)
        """What is asked of an example beside its picture."""
        return None

    def encoder(self, memory: Memory) -> Encoder:
        """Whose text vectors the reader sees."""
        return memory.encoder

    def examples(
        self,
        rows: Sequence[Row],
        features: Array,
        memory: Memory,  # noqa: ARG002 (the same)
    ) -> tuple[list[Row], Array, Ints]:
        """What is to be answered about some pictures.

        Args:
            rows: n pictures.
            features: theirs, (n, F).
            memory: whose encoder reads texts.

        Returns:
            Rows of m examples, what keys and models see of them (m, F'), and the position of each
            one's picture (m,).
        """
        return list(rows), features, np.arange(len(rows))

    def datastore(self, memory: Memory, keys: KeyProjection | None = None) -> Datastore:
        """The memory's rows as they may be evidence; without keys they are compared by their own.

        Raises:
            DataError: there is no such row.
        """
        datastore = read_datastore(memory, keys)
        return with_generated(datastore) if self.generated else datastore

    def source(self, memory: Memory) -> Source:
        """The same rows as :meth:`datastore` has, as a live view."""
        if not self.generated:
            return Source(memory.live)
        return Source(memory.live, memory.live.shared("filled", Filled))

    def keys(self, features: Array) -> KeyProjection:
        """Keys for what :meth:`examples` gives, (m, F')."""
        return KeyProjection.of(features)

    def keys_of(self, arrays: Mapping[str, Array]) -> KeyProjection:
        """Keys out of a file of arrays."""
        return KeyProjection.from_arrays(arrays)

    def standard(self, features: Array) -> Standardizer:
        """What makes features (m, F') fit for a linear map."""
        return Standardizer.of(features)

    def text_vectors(
        self,
        datastore: Datastore,  # noqa: ARG002 (the same)
    ) -> tuple[Array, NDArray[np.bool_]] | None:
        """Text vectors of the rows (N, D), and which have one (N,); None to use their captions."""
        return None

    def texts(self, view: View, memory: Memory) -> tuple[Made, Made]:
        """Text vectors of a view's rows (N, D) and who has one (N,): means of their captions'."""
        return caption_means(view.ids, memory.vectors("text_vectors"))

    def table(self, rows: Sequence[Row], names: Sequence[str]) -> Array:
        """How far each row says each name, (n, C)."""
        places = {name: i for i, name in enumerate(names)}
        labels = np.zeros((len(rows), len(names)), np.float32)
        for i, row in enumerate(rows):
            for name, share in self.shares(row).items():
                if name in places:
                    labels[i, places[name]] = share
        return labels

    def text_scores(
        self,
        rows: Sequence[Row],  # noqa: ARG002 (for tasks whose answers are compared as texts)
        names: Sequence[str],  # noqa: ARG002 (the same)
        found: Array,  # noqa: ARG002 (the same)
        before: Array | None = None,  # noqa: ARG002 (the same)
        *,
        groups: Groups | None = None,  # noqa: ARG002 (the same)
        seed: int = 0,  # noqa: ARG002 (the same)
    ) -> dict[str, Score]:
        """Metrics of answers as texts; none for a task whose answers are names.

        Args:
            rows: n examples.
            names: C' that can be answered.
            found: probabilities, (n, C').
            before: others to compare with: then the scores are differences.
            groups, seed: see :func:`ravl.evaluation.generation.measure_text`.
        """
        return {}

    def shares(self, row: Row) -> dict[str, float]:
        """How far a row says each of its names: 1."""
        return dict.fromkeys(self.of(row), 1.0)
