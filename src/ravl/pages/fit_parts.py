"""What the report of a fit is made of, besides its tables of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ravl.pages.render import only_data


@dataclass(frozen=True, slots=True)
class CalibrationChart:
    """Whether a model is right as often as it says.

    Args:
        title: of which model, or of which moment.
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
    """A chart of how a training went.

    Args:
        title: what it shows.
        unit: of the first number of each point, such as "epoch".
        percent: the second ones are shares.
        series: its lines.
    """

    title: str
    unit: str
    percent: bool
    series: Sequence[Series]


@dataclass(frozen=True, slots=True)
class LabelLine:
    """How well one label is found.

    Args:
        label: its name.
        support: examples that have it.
        precision: with retrieval, like recall and f1.
        recall: likewise.
        f1: likewise.
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
        """What retrieval added to its F1."""
        return self.f1 - self.f1_without


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each label was answered for each true one.

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
    """What one model says about an example.

    Args:
        name: of the model, such as "without retrieval".
        answer: the label, the tags, or yes and no.
        confidence: 0..1.
        right: whether it is the truth.
        verdict: how that is called; empty for right and wrong.
    """

    name: str
    answer: str
    confidence: float
    right: bool
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One row of the memory that spoke for or against an answer.

    Args:
        thumbnail: a data URI, None if there is no picture.
        label: what the row says; may be empty.
        text: its text; may be empty.
        similarity: to the picture asked about.
        share: of the decision, 0..1.
        agrees: whether it says what the model with retrieval answered.

    Raises:
        ValueError: the thumbnail is no data URI.
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
    """One example, what was answered, and why.

    Args:
        picture: a data URI, None if there is no picture.
        query_text: the text that was asked about; None if the task has none.
        truth: the right answer.
        answers: of each model.
        gate: the share of the memory's vote in the decision, None if nothing voted.
        evidence: rows of the memory, those with the largest share first.

    Raises:
        ValueError: the picture is no data URI.
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
    """Examples that have something in common.

    Args:
        title: what it is, such as "Changed by retrieval, for the better".
        note: how they were chosen; may be empty.
        examples: in the order of the page.
    """

    title: str
    note: str
    examples: Sequence[ReportExample]
