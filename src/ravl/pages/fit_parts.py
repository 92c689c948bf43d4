"""The parts of the report of a fit, except the tables of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ravl.pages.render import only_data


@dataclass(frozen=True, slots=True)
class CalibrationChart:
    """The calibration of a model.

    Args:
        title: the name of the model, or of the moment.
        bins: (confidence, accuracy, count), as of :func:`ravl.evaluation.calibration_curve`.
        ece: the expected calibration error, a share.
    """

    title: str
    bins: Sequence[tuple[float, float, int]]
    ece: float


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart.

    Args:
        name: in the legend.
        points: in the order of the training.
    """

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curves:
    """A training curve.

    Args:
        title: the title of the chart.
        unit: of the first number of each point, such as "epoch".
        percent: the second numbers are shares.
        series: its lines.
    """

    title: str
    unit: str
    percent: bool
    series: Sequence[Series]


@dataclass(frozen=True, slots=True)
class LabelLine:
    """The scores of one label.

    Args:
        label: its name.
        support: the number of examples with the label.
        precision: with retrieval, like recall and f1.
        recall: with retrieval.
        f1: with retrieval.
        f1_without: without retrieval.
    """

    label: str
    support: int
    precision: float
    recall: float
    f1: float
    f1_without: float

    @property
    def gain(self) -> float:
        """The gain of retrieval in F1."""
        return self.f1 - self.f1_without


@dataclass(frozen=True, slots=True)
class Confusion:
    """The confusion matrix.

    Args:
        labels: C names.
        matrix: (C, C), the true label by row and the answer by column.

    Raises:
        ValueError: the matrix has another shape.
    """

    labels: Sequence[str]
    matrix: Sequence[Sequence[int]]

    def __post_init__(self) -> None:
        count = len(self.labels)
        if len(self.matrix) != count or any(len(row) != count for row in self.matrix):
            raise ValueError(f"{count} labels need {count} rows and columns of confusions.")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one model for an example.

    Args:
        name: of the model, such as "without retrieval".
        answer: the label, the tags, or yes and no.
        confidence: 0..1.
        right: True if the answer is right.
        verdict: a word for it; empty for right and wrong.
    """

    name: str
    answer: str
    confidence: float
    right: bool
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One row of the evidence, for or against an answer.

    Args:
        thumbnail: a data URI; None without a picture.
        label: the label of the row; may be empty.
        text: the text of the row; may be empty.
        similarity: similarity to the picture of the query.
        share: share in the decision, 0..1.
        agrees: True if it has the answer of the model with retrieval.

    Raises:
        ValueError: the thumbnail is not a data URI.
    """

    thumbnail: str | None
    label: str
    text: str
    similarity: float
    share: float
    agrees: bool

    def __post_init__(self) -> None:
        only_data(self.thumbnail)


@dataclass(frozen=True, slots=True)
class ReportExample:
    """One example with its answers and evidence.

    Args:
        picture: a data URI; None without a picture.
        query_text: the text of the query; None if the task has no text.
        truth: the right answer.
        answers: the answers of the models.
        gate: the weight of the vote; None without a vote.
        evidence: rows of the memory, the largest share first.

    Raises:
        ValueError: the picture is not a data URI.
    """

    picture: str | None
    query_text: str | None
    truth: str
    answers: Sequence[Answer]
    gate: float | None = None
    evidence: Sequence[EvidenceItem] = ()

    def __post_init__(self) -> None:
        only_data(self.picture)


@dataclass(frozen=True, slots=True)
class ExampleGroup:
    """A group of examples.

    Args:
        title: the title of the group, such as "Changed by retrieval, for the better".
        note: how the examples were chosen; may be empty.
        examples: in the order of the page.
    """

    title: str
    note: str
    examples: Sequence[ReportExample]
