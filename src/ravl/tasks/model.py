"""``ravl.load``: a fitted run, or a memory alone, ready to answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

from ravl.errors import PictureError, QueryError
from ravl.memory import Memory
from ravl.retrieval.reranking import Reranker
from ravl.runs.answers import Answer, Classification, Tagging
from ravl.runs.run import AGAIN, Run, open_memory, open_run
from ravl.tasks import registry
from ravl.tasks.contract import Pipeline, Task
from ravl.tasks.each import answer_each
from ravl.tasks.options import AnswerOptions, CaptionOptions, TextOptions, check_options
from ravl.tasks.pairing import OnePicture, picture_list, text_list
from ravl.threads import one_blas_thread
from ravl.untrusted import damage_of

if TYPE_CHECKING:
    from ravl.tasks.ask.results import Reply
    from ravl.tasks.caption.results import Caption
    from ravl.tasks.match.results import Matching


def untrained() -> tuple[str, ...]:
    """What a memory can answer without a run."""
    return tuple(dict.fromkeys(each.command for each in registry.tasks() if each.untrained))


class Model:
    """A fitted run with its memory, or a memory alone.

    A memory without a run answers what its neighbours can say: see :func:`untrained`.

    Lists in, lists out: one picture gives one answer, a list of pictures a list of answers, which
    costs far less than one call each.

    A picture that cannot be read raises :class:`~ravl.errors.PictureError`, before anything is
    answered; of a list the message says which one. With ``return_exceptions=True`` a list gets the
    error in the place of that answer instead, and all other pictures are answered. All other errors
    are raised, as is that of a single picture.

    Example:
        >>> model = ravl.load("runs/shirts")
        >>> answer = model.classify("new.jpg")
        >>> answer.label, answer.confidence, answer.evidence
    """

    def __init__(
        self, folder: Memory | Run | str | Path, memory: Memory | str | Path | None = None
    ) -> None:
        self._untrained: dict[str, Pipeline] = {}
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
        with damage_of(f"The run in {self.run.folder}", AGAIN):
            self.memory = open_memory(self.run, memory, exact)
        self._own_memory = not isinstance(memory, Memory)
        try:
            with damage_of(f"The run in {self.run.folder}", AGAIN):
                self.predictor = self._load(self.run)
        except BaseException:  # a damaged run
            self.close()
            raise

    @property
    def task(self) -> str | None:
        """The command of what it was fitted for, such as "classify"; None for a memory alone."""
        return None if self.run is None else registry.of_run(self.run).command

    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        pictures: OnePicture,
        beside: str | None = None,
        *,
        task: str | None = None,
        return_exceptions: Literal[False] = False,
        **options: object,
    ) -> Answer: ...
    @overload
    def predict(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        beside: str | Iterable[str] | None = None,
        *,
        task: str | None = None,
        return_exceptions: Literal[False] = False,
        **options: object,
    ) -> list[Answer]: ...
    @overload
    def predict(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        beside: str | Iterable[str] | None = None,
        *,
        task: str | None = None,
        return_exceptions: bool,
        **options: object,
    ) -> list[Answer | PictureError]: ...
    def predict(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        beside: str | Iterable[str] | None = None,
        *,
        task: str | None = None,
        return_exceptions: bool = False,
        **options: object,
    ) -> Answer | list[Answer] | list[Answer | PictureError]:
        """The answer of any task, also of one that a package adds.

        Args:
            pictures: a path, bytes or PIL picture, or a list of these.
            beside: for a task that takes them the text or question, or as many as there are
                pictures; one of the two may be single.
            task: its command, such as "caption"; None for what the run was fitted for. A memory
                alone answers several tasks, so the caller must say which.
            return_exceptions: see :meth:`classify`.
            **options: of the task, such as ``k``, ``retrieval``, ``vote_only``, ``abstain``.

        Returns:
            An answer of the task's ``answer_type``, or a list of them.

        Raises:
            QueryError: the run was fitted for another task, a text is missing or too many, or the
                numbers differ.
            PictureError: a picture cannot be read.
        """
        command = task or self.task
        if command is None:
            raise QueryError(
                f"{self.memory.path} is a memory and answers several tasks. Say which: task= one "
                f"of {', '.join(untrained())}."
            )
        takes = self.kind(command).beside
        if bool(takes) != (beside is not None):
            with_text = f"a {takes} beside each picture" if takes else "pictures alone"
            raise QueryError(f"{command} takes {with_text}.")
        found: Answer | list[Answer]
        found = self._predict(command, pictures, beside, options, return_exceptions)
        return found

    @overload
    def classify(  # type: ignore[overload-overlap]
        self, pictures: OnePicture, **options: Unpack[AnswerOptions]
    ) -> Classification: ...
    @overload
    def classify(
        self,
        pictures: Iterable[OnePicture],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[AnswerOptions],
    ) -> list[Classification]: ...
    @overload
    def classify(
        self,
        pictures: Iterable[OnePicture],
        *,
        return_exceptions: bool,
        **options: Unpack[AnswerOptions],
    ) -> list[Classification | PictureError]: ...
    def classify(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        *,
        return_exceptions: bool = False,
        **options: Unpack[AnswerOptions],
    ) -> Classification | list[Classification] | list[Classification | PictureError]:
        """The label of a picture, or of each in a list.

        Args:
            pictures: a path, bytes or PIL picture, or a list of these.
            return_exceptions: True for a :class:`~ravl.errors.PictureError` in the place of the
                answer to each picture of a list that cannot be read, instead of raising it.
            **options: see :class:`ravl.tasks.options.AnswerOptions`.

        Raises:
            QueryError: the run was fitted for another task.
            PictureError: a picture cannot be read.
        """
        found: Classification | list[Classification]
        found = self._predict("classify", pictures, None, options, return_exceptions)
        return found

    @overload
    def tag(  # type: ignore[overload-overlap]
        self, pictures: OnePicture, **options: Unpack[AnswerOptions]
    ) -> Tagging: ...
    @overload
    def tag(
        self,
        pictures: Iterable[OnePicture],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[AnswerOptions],
    ) -> list[Tagging]: ...
    @overload
    def tag(
        self,
        pictures: Iterable[OnePicture],
        *,
        return_exceptions: bool,
        **options: Unpack[AnswerOptions],
    ) -> list[Tagging | PictureError]: ...
    def tag(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        *,
        return_exceptions: bool = False,
        **options: Unpack[AnswerOptions],
    ) -> Tagging | list[Tagging] | list[Tagging | PictureError]:
        """The tags of a picture, or of each in a list; as :meth:`classify` otherwise."""
        found: Tagging | list[Tagging]
        found = self._predict("tag", pictures, None, options, return_exceptions)
        return found

    @overload
    def match(  # type: ignore[overload-overlap]
        self, pictures: OnePicture, texts: str, **options: Unpack[AnswerOptions]
    ) -> Matching: ...
    @overload
    def match(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        texts: str | Iterable[str],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[AnswerOptions],
    ) -> list[Matching]: ...
    @overload
    def match(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        texts: str | Iterable[str],
        *,
        return_exceptions: bool,
        **options: Unpack[AnswerOptions],
    ) -> list[Matching | PictureError]: ...
    def match(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        texts: str | Iterable[str],
        *,
        return_exceptions: bool = False,
        **options: Unpack[AnswerOptions],
    ) -> Matching | list[Matching] | list[Matching | PictureError]:
        """Whether a text fits a picture, or each text its picture.

        Args:
            pictures: a path, bytes or PIL picture, or a list of these.
            texts: a text, or as many as there are pictures; one of the two may be single.
            return_exceptions: True for a :class:`~ravl.errors.PictureError` in the place of the
                answer to each picture of a list that cannot be read, instead of raising it.
            **options: see :class:`ravl.tasks.options.AnswerOptions`.

        Returns:
            One answer for one picture and one text, otherwise a list.

        Raises:
            QueryError: the run was fitted for another task, or the numbers differ.
            PictureError: a picture cannot be read.
        """
        found: Matching | list[Matching]
        found = self._predict("match", pictures, texts, options, return_exceptions)
        return found

    @overload
    def caption(  # type: ignore[overload-overlap]
        self, pictures: OnePicture, **options: Unpack[CaptionOptions]
    ) -> Caption: ...
    @overload
    def caption(
        self,
        pictures: Iterable[OnePicture],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[CaptionOptions],
    ) -> list[Caption]: ...
    @overload
    def caption(
        self,
        pictures: Iterable[OnePicture],
        *,
        return_exceptions: bool,
        **options: Unpack[CaptionOptions],
    ) -> list[Caption | PictureError]: ...
    def caption(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        *,
        return_exceptions: bool = False,
        **options: Unpack[CaptionOptions],
    ) -> Caption | list[Caption] | list[Caption | PictureError]:
        """A text about a picture, or about each in a list.

        Args:
            pictures: a path, bytes or PIL picture, or a list of these.
            return_exceptions: True for a :class:`~ravl.errors.PictureError` in the place of the
                answer to each picture of a list that cannot be read, instead of raising it.
            **options: see :class:`ravl.tasks.options.CaptionOptions`.

        Raises:
            QueryError: the run was fitted for another task.
            PictureError: a picture cannot be read.
        """
        found: Caption | list[Caption]
        found = self._predict("caption", pictures, None, options, return_exceptions)
        return found

    @overload
    def ask(  # type: ignore[overload-overlap]
        self, pictures: OnePicture, questions: str, **options: Unpack[TextOptions]
    ) -> Reply: ...
    @overload
    def ask(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        questions: str | Iterable[str],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[TextOptions],
    ) -> list[Reply]: ...
    @overload
    def ask(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        questions: str | Iterable[str],
        *,
        return_exceptions: bool,
        **options: Unpack[TextOptions],
    ) -> list[Reply | PictureError]: ...
    def ask(
        self,
        pictures: OnePicture | Iterable[OnePicture],
        questions: str | Iterable[str],
        *,
        return_exceptions: bool = False,
        **options: Unpack[TextOptions],
    ) -> Reply | list[Reply] | list[Reply | PictureError]:
        """The answer to a question about a picture, or to each question about its picture.

        Args:
            pictures: a path, bytes or PIL picture, or a list of these.
            questions: a question, or as many as there are pictures; one of the two may be single.
            return_exceptions: see :meth:`classify`.
            **options: see :class:`ravl.tasks.options.TextOptions`; what is about writing is for
                runs with open answers.

        Returns:
            One answer for one picture and one question, otherwise a list.

        Raises:
            QueryError: the run was fitted for another task, a question is empty, or the numbers
                differ.
            DataError: the memory has no answered question.
            PictureError: a picture cannot be read.
        """
        found: Reply | list[Reply]
        found = self._predict("ask", pictures, questions, options, return_exceptions)
        return found

    def assign(
        self, pictures: Sequence[OnePicture], texts: Sequence[str], **options: object
    ) -> list[tuple[int, int, float]]:
        """The best one-to-one assignment of texts to pictures.

        Returns:
            Position of a picture, position of its text, and the probability that they fit.
        """
        self.expect("match")
        found: list[tuple[int, int, float]] = self.predictor.assign(pictures, texts, **options)
        return found

    def reranker(self) -> Reranker:
        """Reranks the top of searches: ``memory.search("...", rerank=model.reranker())``.

        Raises:
            QueryError: the run was fitted for another task than match, or reranking gained nothing
                when it was fitted.
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

    def kind(self, command: str) -> Task:
        """The task behind a command, as the run answers it, or a memory alone."""
        self.expect(command)
        return registry.of_command(command)[0] if self.run is None else registry.of_run(self.run)

    @one_blas_thread()
    def pipeline(self, command: str) -> Pipeline:
        """What answers a command: of the run, or of the memory alone.

        Raises:
            QueryError: the run was fitted for another task.
        """
        self.expect(command)
        if self.run is None and command not in self._untrained:
            self._untrained[command] = self.kind(command).from_memory(self.memory)
        found: Pipeline = self.predictor if self.run is not None else self._untrained[command]
        return found

    def _load(self, run: Run) -> Any:
        return registry.of_run(run).load(run, self.memory)

    @one_blas_thread()
    def _predict(
        self,
        command: str,
        pictures: OnePicture | Iterable[OnePicture],
        beside: str | Iterable[str] | None,
        options: Mapping[str, object],
        return_exceptions: bool,
    ) -> Any:
        """One answer, or a list of them where pictures or texts are a list."""
        wanted, one = picture_list(pictures)
        texts = None if beside is None else text_list(beside)
        pipeline = self.pipeline(command)
        check_options(pipeline.predict, self.kind(command).options, options)
        single = one and (beside is None or isinstance(beside, str))
        if return_exceptions and not single:

            def predict(some: list[OnePicture], texts: list[str] | None) -> Sequence[Answer]:
                return pipeline.predict(some, texts, **options)

            with self.memory.snapshot():  # all answers are of one moment
                return answer_each(predict, wanted, texts)
        answers = pipeline.predict(wanted, texts, **options)
        return answers[0] if single else answers

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
