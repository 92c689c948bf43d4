"""What answers: the runs of a server and its memory, each with the queue of its own thread."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ravl.errors import MemoryFileError, QueryError
from ravl.memory import Memory
from ravl.retrieval import Query
from ravl.runs.run import Run, open_run
from ravl.serving.batching import Batcher, Call
from ravl.store.history import newest
from ravl.tasks.caption.writer import SIDE, TextPipeline
from ravl.tasks.model import Model, untrained

TASKS = ("classify", "tag", "match", "caption", "ask")
DECODING = ("candidates", "longest", "sample", "temperature", "seed", "require", "forbid")
WRITES = ("caption", "ask")
MEMORY = "memory"  # the name under which the memory itself answers

Options = tuple[tuple[str, Any], ...]


@dataclass(eq=False)
class Served:
    """One model of a server.

    Args:
        name: by which clients choose it.
        task: that it answers.
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
    def writer(self) -> TextPipeline | None:
        """What writes texts piece by piece, if it does."""
        found = self.model.predictor
        return found if isinstance(found, TextPipeline) and found.has_generator else None

    @property
    def hint(self) -> int:
        """Side in pixels that pictures are decoded for: what the model itself would ask for."""
        size = self.model.memory.encoder.picture_size
        writes = self.task == "caption" or isinstance(self.model.predictor, TextPipeline)
        return max(size, SIDE) if writes else size

    def call(self, options: Options) -> Call:
        """What answers a list of items with these options, all from one moment of the memory."""
        given = dict(options)
        if self.task in WRITES:
            given = self._decoding(given)

        def answer(items: Sequence[Any]) -> Sequence[Any]:
            if self.task in ("match", "ask"):
                pictures, texts = (list(part) for part in zip(*items, strict=True))
                found: Sequence[Any] = getattr(self.model, self.task)(pictures, texts, **given)
            else:
                found = getattr(self.model, self.task)(list(items), **given)
            return found

        return at_one_moment(self.model.memory, answer)

    def pieces(self, item: Any, options: Options) -> Iterator[str]:
        """What the model writes, piece by piece."""
        writer: Any = self.writer
        kept = ("k", "retrieval", "instruction", *DECODING)
        given = {name: value for name, value in options if name in kept}
        items = (item,) if self.task == "caption" else item
        found: Iterator[str] = writer.stream(*items, **self._decoding(given))
        return found

    def _decoding(self, given: dict[str, Any]) -> dict[str, Any]:
        """The options of the decoding as one, on top of what is usual.

        Raises:
            QueryError: there is no generator that answers questions, so nothing is written.
        """
        told = [name for name in (*DECODING, "instruction") if name in given]
        if told and self.task == "ask" and self.writer is None:
            raise QueryError(
                f"{self.name} chooses its answers and writes none, so {', '.join(told)} says "
                "nothing to it. Leave it out, or ask a run that was fitted with --answers open."
            )
        wanted = {name: given.pop(name) for name in DECODING if name in given}
        if wanted:
            usual = self.writer.usual if self.writer is not None else None
            if usual is None:
                from ravl.models.generation.base import Decoding

                usual = Decoding()
            given["how"] = replace(usual, **wanted)
        return given


def at_one_moment(memory: Memory, answer: Callable[[Sequence[Any]], Sequence[Any]]) -> Call:
    """Answers with the version of the memory that they come from."""

    def call(items: Sequence[Any]) -> tuple[Sequence[Any], int]:
        with memory.snapshot() as connection:
            return answer(items), newest(connection)

    return call


def search_call(memory: Memory, options: Options, reranker: Any) -> Call:
    """What answers a list of queries with these options."""

    def answer(items: Sequence[Query]) -> Sequence[Any]:
        how: dict[str, Any] = dict(options)
        return memory.search(list(items), rerank=reranker, **how)

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
        if run.task not in TASKS:
            raise QueryError(
                f"{folder} was fitted for {run.task}; what it learned is in its memory already. "
                "Name the memory."
            )
        found[name] = run.task, Model(folder, memory), folder
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
