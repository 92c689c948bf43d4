"""What answers: the runs of a server and its memory, each with the queue of its own thread."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from ravl.errors import MemoryFileError, QueryError
from ravl.memory import Memory
from ravl.retrieval import Hits, Query
from ravl.retrieval.reranking import Reranker
from ravl.runs.answers import Answer
from ravl.runs.run import Run, open_run
from ravl.serving.batching import Batcher, Call
from ravl.tasks import registry
from ravl.tasks.contract import Task, Writer
from ravl.tasks.model import Model, untrained
from ravl.tasks.options import WRITING

MEMORY = "memory"  # the name under which the memory itself answers

Options = tuple[tuple[str, Any], ...]
Item = Image.Image | tuple[Image.Image, str]  # a picture, or a picture and the text beside it
Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(eq=False)
class Served:
    """One model of a server.

    Args:
        name: by which clients choose it.
        task: the command of the task that it answers, such as ``classify``.
        model: a run, or the memory alone; a refit puts another in its place.
        batcher: its thread and queue.
        folder: of the run; None for the memory alone.
    """

    name: str
    task: str
    model: Model
    batcher: Batcher
    folder: Path | None = None

    @property
    def run(self) -> Run | None:
        """What was fitted; None for the memory alone."""
        return self.model.run

    @property
    def kind(self) -> Task:
        """The task: of two behind one command that of the run."""
        run = self.run
        return registry.of_run(run) if run is not None else registry.of_command(self.task)[0]

    @property
    def writer(self) -> Writer | None:
        """What writes texts piece by piece, if it does."""
        found = self.model.predictor
        return found if getattr(found, "has_generator", False) else None

    @property
    def hint(self) -> int:
        """Side in pixels that pictures are decoded for: what the model itself would ask for."""
        return max(self.model.memory.encoder.picture_size, self.kind.picture_size)

    def call(self, options: Options) -> Call[Item, Answer]:
        """What answers a list of items with these options, all from one moment of the memory.

        An item is a picture, or a picture with the text beside it.
        """

        def answer(items: Sequence[Item]) -> Sequence[Answer]:
            pictures = [item[0] if isinstance(item, tuple) else item for item in items]
            texts = [item[1] for item in items if isinstance(item, tuple)]
            pipeline = self.model.pipeline(self.task)
            return pipeline.predict(pictures, texts or None, **dict(options))

        return at_one_moment(self.model.memory, answer)

    def pieces(self, item: Item, options: Options) -> Iterator[str]:
        """What the model writes about an item, piece by piece."""
        kept = ("k", "retrieval", *(option.name for option in WRITING))
        given = {name: value for name, value in options if name in kept}
        picture, text = item if isinstance(item, tuple) else (item, None)
        assert self.writer is not None
        return self.writer.stream(picture, text, **given)


def at_one_moment(memory: Memory, answer: Callable[[Sequence[Q]], Sequence[A]]) -> Call[Q, A]:
    """Answers with the version of the memory that they come from."""

    def call(items: Sequence[Q]) -> tuple[Sequence[A], int]:
        with memory.snapshot():
            return answer(items) if items else (), memory.version

    return call


def search_call(memory: Memory, options: Options, reranker: Reranker | None) -> Call[Query, Hits]:
    """What answers a list of queries with these options."""

    def answer(items: Sequence[Query]) -> Sequence[Hits]:
        return memory.search(list(items), rerank=reranker, **dict(options))

    return at_one_moment(memory, answer)


def key_of(name: str, options: Options) -> Hashable:
    """What jobs must have in common to go together."""
    return name, options


def open_models(
    places: Sequence[Path], memory: Path | None, batcher: Callable[[str], Batcher]
) -> tuple[Memory, list[Served]]:
    """The memory of a server, and all that answers from it.

    Args:
        places: runs, by their folder; or a memory first.
        memory: to answer from, instead of the runs' own.
        batcher: makes a model's thread and queue.

    Raises:
        QueryError: nothing is named, runs answer from different memories, have one name, or were
            fitted for a search.
        DataError, MemoryFileError, EncoderMismatchError: as :func:`ravl.load`.
    """
    files = [place for place in places if place.is_file()]
    folders = [place for place in places if not place.is_file()]
    if len([*files, *([memory] if memory else [])]) > 1:
        raise QueryError("One server answers from one memory, and more are named. Name one.")
    runs = [open_run(folder) for folder in folders]
    path = memory or (files[0] if files else _common(runs))
    if not path.exists():
        raise MemoryFileError(f"There is no memory at {path}. If it has moved, name it: --memory")
    opened = Memory.open(path)
    try:
        return opened, _served(opened, folders, runs, batcher)
    except BaseException:
        opened.close()
        raise


def _served(
    memory: Memory,
    folders: Sequence[Path],
    runs: Sequence[Run],
    batcher: Callable[[str], Batcher],
) -> list[Served]:
    found: dict[str, tuple[str, Model, Path]] = {}
    for folder, run in zip(folders, runs, strict=True):
        name = folder.resolve().name
        if name in found or name == MEMORY:
            raise QueryError(f"Two models would be called {name!r}. Rename the run's folder.")
        task = registry.of_run(run)
        if not task.answers:
            raise QueryError(
                f"{folder} was fitted for {task.command}; what it learned is in its memory "
                "already. Name the memory."
            )
        found[name] = task.command, Model(folder, memory), folder
    served = [
        Served(name, task, model, batcher(name), folder)
        for name, (task, model, folder) in found.items()
    ]
    left = [task for task in untrained() if all(task != each.task for each in served)]
    if left:  # the memory alone has one thread for all that it answers
        alone, own = Model(memory), batcher(MEMORY)
        served += [Served(MEMORY, task, alone, own) for task in left]
    return served


def _common(runs: Sequence[Run]) -> Path:
    """The memory that all runs answer from."""
    if not runs:
        raise QueryError("Name a run, or a memory: ravl serve runs/shirts")
    first, *others = runs
    for run in others:
        if run.memory.resolve() != first.memory.resolve():
            raise QueryError(
                f"{first.folder} answers from {first.memory} and {run.folder} from {run.memory}. "
                "One server answers from one memory: name it with --memory, or start two servers."
            )
    return first.memory
