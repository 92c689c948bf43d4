"""``ravl.load``: a fitted run, or a memory alone, ready to answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ravl.errors import QueryError
from ravl.memory import Memory
from ravl.retrieval.reranking import Reranker
from ravl.runs.run import Run, open_memory, open_run
from ravl.tasks import registry
from ravl.tasks.labels.model import picture_list


def untrained() -> tuple[str, ...]:
    """What a memory can answer without a run."""
    return tuple(dict.fromkeys(each.command for each in registry.tasks() if each.untrained))


class Model:
    """A fitted run with its memory, or a memory alone.

    A memory without a run answers what its neighbours can say: see :func:`untrained`.

    Lists in, lists out: one picture gives one answer, a list of pictures a list of answers, which
    costs far less than one call each.

    Example:
        >>> model = ravl.load("runs/shirts")
        >>> answer = model.classify("new.jpg")
        >>> answer.label, answer.confidence, answer.evidence
    """

    def __init__(
        self, folder: Memory | Run | str | Path, memory: Memory | str | Path | None = None
    ) -> None:
        self._untrained: dict[str, Any] = {}
        self.predictor: Any = None
        self.run: Run | None = None
        if isinstance(folder, Memory) or (not isinstance(folder, Run) and Path(folder).is_file()):
            if memory is not None:
                raise QueryError(f"{folder} is a memory itself. Name it alone, or name a run.")
            self._own_memory = not isinstance(folder, Memory)
            self.memory = folder if isinstance(folder, Memory) else Memory.open(folder)
            return
        self.run = folder if isinstance(folder, Run) else open_run(folder)
        exact = bool(self.run.record.get("reads_texts"))
        self.memory = open_memory(self.run, memory, exact)
        self._own_memory = not isinstance(memory, Memory)
        try:
            self.predictor = self._load(self.run)
        except BaseException:  # a damaged run
            self.close()
            raise

    @property
    def task(self) -> str | None:
        """What it was fitted for; None for a memory alone."""
        return None if self.run is None else self.run.task

    def classify(self, pictures: Any, **options: Any) -> Any:
        """The label of a picture, or of each in a list.

        Args:
            pictures: a path, bytes or PIL picture, or a list of these.
            **options: ``k``, ``retrieval``, ``vote_only``, ``abstain``: see
                :meth:`ravl.tasks.labels.model.LabelPipeline.answer`.

        Returns:
            :class:`ravl.runs.answers.Classification`, or a list of them.

        Raises:
            QueryError: the run was fitted for another task.
            PictureError: a picture cannot be read.
        """
        return self._labelled("classify", pictures, options)

    def tag(self, pictures: Any, **options: Any) -> Any:
        """The tags of a picture, or of each in a list; as :meth:`classify` otherwise."""
        return self._labelled("tag", pictures, options)

    def match(self, pictures: Any, texts: Any, **options: Any) -> Any:
        """Whether a text fits a picture, or each text its picture.

        Args:
            pictures: a path, bytes or PIL picture, or a list of these.
            texts: a text, or as many as there are pictures; one of the two may be single.
            **options: see :meth:`ravl.tasks.match.model.MatchPipeline.match`.

        Returns:
            :class:`ravl.tasks.match.results.Matching`, or a list of them.

        Raises:
            QueryError: the run was fitted for another task, or the numbers differ.
            PictureError: a picture cannot be read.
        """
        self.expect("match")
        _, one = picture_list(pictures)
        answers = self.predictor.match(pictures, texts, **options)
        return answers[0] if one and isinstance(texts, str) else answers

    def caption(self, pictures: Any, **options: Any) -> Any:
        """A text about a picture, or about each in a list.

        Args:
            pictures: a path, bytes or PIL picture, or a list of these.
            **options: see :meth:`ravl.tasks.caption.model.CaptionPipeline.caption`.

        Returns:
            :class:`ravl.tasks.caption.results.Caption`, or a list of them.

        Raises:
            QueryError: the run was fitted for another task.
            PictureError: a picture cannot be read.
        """
        wanted, one = picture_list(pictures)
        answers = self._answering("caption").caption(wanted, **options)
        return answers[0] if one else answers

    def ask(self, pictures: Any, questions: Any, **options: Any) -> Any:
        """The answer to a question about a picture, or to each question about its picture.

        Args:
            pictures: a path, bytes or PIL picture, or a list of these.
            questions: a question, or as many as there are pictures; one of the two may be single.
            **options: see :meth:`ravl.tasks.ask.model.AskPipeline.ask`, for open answers
                :meth:`ravl.tasks.ask.writing.OpenAskPipeline.ask`.

        Returns:
            :class:`ravl.tasks.ask.results.Reply`, or a list of them.

        Raises:
            QueryError: the run was fitted for another task, a question is empty, or the numbers
                differ.
            DataError: the memory has no answered question.
            PictureError: a picture cannot be read.
        """
        _, one = picture_list(pictures)
        answers = self._answering("ask").ask(pictures, questions, **options)
        return answers[0] if one and isinstance(questions, str) else answers

    def assign(
        self, pictures: Sequence[Any], texts: Sequence[str], **options: Any
    ) -> list[tuple[int, int, float]]:
        """The best one-to-one assignment of texts to pictures.

        Returns:
            Position of a picture, position of its text, and the probability that they fit.
        """
        self.expect("match")
        found: list[tuple[int, int, float]] = self.predictor.assign(pictures, texts, **options)
        return found

    def reranker(self) -> Reranker:
        """A second look at the top of searches: ``memory.search("...", rerank=model.reranker())``.

        Raises:
            QueryError: the run was fitted for another task than match, or a second look gained
                nothing when it was fitted.
        """
        self.expect("match")
        found: Reranker = self.predictor.reranker()
        return found

    def close(self) -> None:
        """Let go of the memory, unless it was given."""
        if self._own_memory:
            self.memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _answering(self, task: str) -> Any:
        """The predictor of a task, of the run or of the memory alone."""
        self.expect(task)
        if self.run is not None:
            return self.predictor
        if task not in self._untrained:
            self._untrained[task] = registry.of_command(task)[0].from_memory(self.memory)
        return self._untrained[task]

    def _load(self, run: Run) -> Any:
        return registry.of_run(run).load(run, self.memory)

    def _labelled(self, task: str, pictures: Any, options: dict[str, Any]) -> Any:
        self.expect(task)
        wanted, one = picture_list(pictures)
        answers: Sequence[Any] = self.predictor.answer(wanted, **options)
        return answers[0] if one else answers

    def expect(self, task: str) -> None:
        """Refuse another task than it was fitted for."""
        if self.run is None:
            if task not in untrained():
                raise QueryError(
                    f"{self.memory.path} is a memory, and without training it can only "
                    f"{' or '.join(untrained())}. Fit a run with ravl fit {task}, and name its "
                    "folder."
                )
        elif self.task != task:
            raise QueryError(
                f"{self.run.folder} was fitted for {self.task}, not for {task}. Use "
                f"ravl {self.task}, or fit a run with ravl fit {task}."
            )


def load(folder: Memory | str | Path, memory: Memory | str | Path | None = None) -> Model:
    """A fitted run, or a memory alone, ready to answer.

    Args:
        folder: of the run; or a memory, or its file, which answers what needs no training.
        memory: to answer from, instead of the one it was fitted with.

    Raises:
        DataError: the folder holds no finished run.
        MemoryFileError: its memory is not where it was.
        EncoderMismatchError: the memory has another encoder now.
    """
    return Model(folder, memory)
