"""The contract of a task: all that ravl asks of one, so that nothing else names it.

A task lives in a folder of its own and is found by its name: see :mod:`ravl.tasks.registry`. The
class below is cheap to import. Its methods import what they need: training code when a task is
fitted, and only what answers when it answers, so that serving needs no torch.

A task has three layers:

- *targets*: what a row of the memory says for the task (a label, tags, texts, answers);
- the *predictor*: arrays in, arrays out; what a fit leaves and what can be exported;
- the *pipeline*: pictures in, answers with evidence out; it holds the predictor and the memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Unpack

from ravl.errors import DataError
from ravl.json_types import JsonObject, JsonRecord, JsonValue
from ravl.retrieval.datastore import Ints
from ravl.tasks.options import HOW, EvaluateOptions, Option
from ravl.tasks.pairing import OnePicture

if TYPE_CHECKING:
    import numpy as np

    from ravl.data import Example
    from ravl.memory import Memory, Row
    from ravl.runs.answers import Answer
    from ravl.runs.run import Run
    from ravl.tasks.model import Model
    from ravl.training.engine import AnyRecipe
    from ravl.training.examples import Examples
    from ravl.training.loop_settings import LoopSettings
    from ravl.training.refit_hooks import RefitHooks

Beside = Literal["", "text", "question"]


class Pipeline(Protocol):
    """Answers questions of one task from a run and its memory, or from a memory alone."""

    @property
    def memory(self) -> Memory:
        """That the evidence comes from."""

    def look(self, *asked: object) -> Any:
        """Pictures as the model sees them, in the form that :meth:`results` takes.

        Args:
            *asked: n pictures; for a task with ``beside`` also n texts or questions.
        """

    def results(self, seen: object, hidden: Sequence[Ints] | None = None) -> Sequence[Answer]:
        """Answers to what was looked at.

        Args:
            seen: n pictures, see :meth:`look`.
            hidden: for each the groups of the memory's rows that are no evidence, int64; None for
                no such rows.
        """

    def predict(
        self, pictures: Sequence[OnePicture], beside: Sequence[str] | None = None, **options: object
    ) -> Sequence[Answer]:
        """Answers to some pictures, in one pass.

        Args:
            pictures: n paths, bytes or PIL pictures.
            beside: the text or question that comes with each picture, n of them; None for a task
                that takes pictures alone.
            **options: of the task, such as ``k``, ``retrieval``, ``vote_only``, ``abstain``.
        """


class Writer(Pipeline, Protocol):
    """A pipeline that can write a text piece by piece."""

    @property
    def has_generator(self) -> bool:
        """True where something writes, beside the memory's own texts."""

    def stream(
        self, picture: object, beside: str | None = None, **options: object
    ) -> Iterator[str]:
        """The text about one picture, piece by piece as it is written."""


def list_of_texts(value: JsonValue, command: str) -> JsonValue:
    """An answer of feedback that is several texts; one text is a list of one.

    Args:
        value: as it was sent.
        command: of the task.

    Raises:
        ValueError: it is neither a text nor a list of texts.
    """
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in found):
        raise ValueError(f"an answer of {command} is a list of texts, not {value}")
    return found


class Task(ABC):
    """One task. Attributes describe it to people and programs; methods do its work."""

    name: ClassVar[str]  # by which a run names it
    command: ClassVar[str]  # the word that users say; two tasks may share it
    variant: ClassVar[tuple[str, str] | None] = None  # setting and value that tell these apart
    noun: ClassVar[str]  # what one answer is called: "label"
    summary: ClassVar[str]  # of its command and endpoint: "Give a picture a label"
    purpose: ClassVar[str]  # of its model card: "gives a picture one label"
    about: ClassVar[str] = ""  # help of ``ravl fit``
    pipeline_tag: ClassVar[str] = "other"  # of the hub's model cards
    beside: ClassVar[Beside] = ""  # what comes with the picture
    answers: ClassVar[bool] = True  # False for search: what it learns goes into the memory
    untrained: ClassVar[bool] = False  # a memory alone can answer
    writes: ClassVar[bool] = False  # answers are texts of its own, which may be streamed
    measures: ClassVar[tuple[str, ...]] = ()  # columns of score tables
    primary: ClassVar[str] = ""  # the metric that rows are compared by
    output_kind: ClassVar[str] = ""  # before the dot of its metrics, see ravl.evaluation.metrics
    levels: ClassVar[Mapping[str, str]] = {}  # what a model card says of each level
    options: ClassVar[tuple[Option, ...]] = HOW  # that its answers take
    field: ClassVar[str]  # of an answer: where it holds what was answered, such as "label"
    picture_size: ClassVar[int] = 0  # pixels of a picture that it looks at, if not the encoder's
    reranks: ClassVar[bool] = False  # its runs can rerank the top of a search

    # --- fitting -----------------------------------------------------------------------------

    @abstractmethod
    def settings(self) -> type[LoopSettings]:
        """The class of the settings of a fit."""

    def recipe(self, memory: Memory, settings: Any) -> AnyRecipe:
        """What differs in its fit from other tasks; the engine does the rest."""
        raise NotImplementedError

    def fit(
        self, memory: Memory, out: Path, settings: Any, command: str = "", **sources: Any
    ) -> Any:
        """Fit on a memory; see :func:`ravl.tasks.fit.fit`."""
        from ravl.pages.card import write_card
        from ravl.tasks.reference import keep_reference
        from ravl.training import engine

        recipe = self.recipe(memory, settings)
        report = engine.fit(recipe, out, after=keep_reference, command=command, **sources)
        write_card(out, self)
        return report

    @abstractmethod
    def evaluate(
        self, model: Model, data: str | Path, **options: Unpack[EvaluateOptions]
    ) -> JsonObject:
        """Judge a loaded run on new pictures; see :func:`ravl.tasks.fit.evaluate`."""

    def search_space(self) -> Path:
        """The YAML file of what ``ravl tune`` tries where the user names none.

        The usual one is for settings that have all fields of
        :class:`ravl.training.fit_settings.FitSettings`.
        """
        import ravl.training

        return Path(ravl.training.__file__).with_name("search_space.yaml")

    def refit(self, pipeline: Pipeline) -> RefitHooks:
        """How ``ravl refit`` fits a run again.

        Args:
            pipeline: of the run, as :meth:`load` made it.

        Raises:
            DataError: runs of the task are not fitted again.
        """
        raise DataError(
            f"A run of {self.command} cannot be refitted. Fit a new one with ravl fit "
            f"{self.command}."
        )

    # --- answering ---------------------------------------------------------------------------

    def answer_type(self) -> type[Answer]:
        """The class of its answers; JSON, REST and the client derive from it."""
        raise NotImplementedError

    def answer_example(self) -> JsonRecord:
        """The fields that an answer has of its own, as the documentation shows them."""
        return {}

    def load(self, run: Run, memory: Memory) -> Any:
        """The pipeline of a run."""
        raise NotImplementedError

    def from_memory(self, memory: Memory) -> Any:
        """The pipeline of a memory without a run, for a task that is ``untrained``."""
        raise NotImplementedError

    def answers_record(self, record: JsonRecord) -> bool:
        """Whether a run that says this in ``run.json`` is of this task.

        Two tasks may share a command; the record of a run tells them apart.
        """
        return record.get("task") == self.name

    # --- pictures of a memory as questions -----------------------------------------------------

    def asks(self, pipeline: Pipeline, row: Row | Example) -> Sequence[str]:
        """The texts or questions with which a run can be asked about the picture of a row.

        Only for a task with ``beside``; empty where the row has none.

        Args:
            pipeline: of the run.
            row: with a picture.
        """
        return self.says(row)

    def slow(self, pipeline: Pipeline) -> bool:
        """Whether an answer takes so long that a sample of pictures must be small."""
        return False

    def answer_examples(
        self, pipeline: Pipeline, examples: Examples, random: np.random.Generator
    ) -> Sequence[Answer]:
        """Answers to pictures, each without itself and its near-duplicates as evidence.

        One answer a picture at most: of several texts or questions one is drawn.

        Args:
            pipeline: of the run.
            examples: n pictures; for a task with ``beside`` each :meth:`asks` something.
            random: draws the texts.
        """
        pictures = [examples.source.picture(row) for row in examples.rows]
        if not self.beside:
            return pipeline.results(pipeline.look(pictures), examples.shown)
        asked = [self.asks(pipeline, row) for row in examples.rows]
        drawn = [texts[int(random.integers(len(texts)))] for texts in asked]
        return pipeline.results(pipeline.look(pictures, drawn), examples.shown)

    # --- rows of a memory, and what people say ---------------------------------------------------

    single: ClassVar[bool] = True  # two different right answers contradict each other
    generated_column: ClassVar[str] = ""  # where ``ravl augment`` writes; "" where it does not

    def says(self, row: Row | Example) -> Sequence[str]:
        """What people said in a row for this task, as texts; empty for nothing."""
        return ()

    def stated(self, example: Example) -> Sequence[tuple[str | None, JsonValue]]:
        """Right answers that an example states, each with what was asked."""
        return ()

    def row_fields(self, right: JsonValue, asked: str | None) -> Mapping[str, object]:
        """The fields of a row that hold a right answer; empty where none can.

        Args:
            right: an answer as :meth:`shaped` returns it.
            asked: the text or question beside the picture.
        """
        return {}

    def shaped(self, value: JsonValue) -> JsonValue:
        """An answer of feedback in this task's shape; forms know neither lists nor truth values.

        Raises:
            ValueError: it is no answer of this task.
        """
        one = value[0] if isinstance(value, list) and len(value) == 1 else value
        if not isinstance(one, str):
            raise ValueError(f"an answer of {self.command} is one text")
        return one

    def feedback(self, answer: Answer) -> JsonRecord:
        """What feedback says of an answer: ``answer``, and ``asked`` where something was."""
        value = getattr(answer, self.field)
        entry = {"answer": list(value) if isinstance(value, tuple) else value}
        return {**entry, "asked": answer.asked} if self.beside else entry

    def generated(self, answer: Any, least: float) -> tuple[str, float]:
        """What ``ravl augment`` writes of an answer, "" for nothing, and its confidence."""
        return answer.said, float(answer.confidence)
