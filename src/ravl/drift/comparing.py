"""``ravl drift``: pictures of now against those of fitting time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from ravl.data import ColumnNames, Rejected
from ravl.data.pictures import content_hash, read_bytes
from ravl.drift.items import Item, One, Source, read_items
from ravl.drift.report import RATE, Asked, Drift, check_rate, compare_signals
from ravl.errors import DataError, PictureError, QueryError
from ravl.files.lock import locked
from ravl.memory import Memory, Picture
from ravl.progress import progress_bar
from ravl.runs.answers import Answer
from ravl.runs.drift_reference import Reference, read_reference, write_reference
from ravl.runs.run import Run
from ravl.runs.signals import Signals
from ravl.tasks import registry
from ravl.tasks.model import Model

Sources = Source | Iterable[Source]
BATCH = 64  # pictures that are answered in one pass


@dataclass(eq=False)
class Looked:
    """Pictures that were answered.

    Args:
        items, answers: of each.
        rejected: what could not be read.
    """

    items: list[Item] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def detect_drift(
    run: Model | str | Path,
    pictures: Sources,
    *,
    reference: Sources | None = None,
    memory: Memory | str | Path | None = None,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
    rate: float = RATE,
    seed: int = 0,
    progress: bool | None = None,
) -> Drift:
    """Whether pictures differ from those that a run was fitted for; needs no labels.

    Compared are the similarity of the nearest rows of the memory, the confidence and, where answers
    are out of a list, the disagreement of vote and model and the mix of answers, with what the
    run's test split gave at fitting time. A picture that the memory holds is hidden from itself.

    Args:
        run: the folder of a run, or a loaded model.
        pictures: a folder, a table, a picture, a :class:`ravl.data.Example`, or a list of these.
            For match they come with texts and for ask with questions, as tables and examples have
            them; one of each picture is drawn.
        reference: pictures to compare with in place of the test split: of fitting time, and not
            trained on. They become the run's reference.
        memory: to answer from, instead of the run's own.
        columns: what a table's columns are called.
        root: the folder that a table's pictures lie in; None for the table's own.
        rate: how often there may be a false alarm, over all signals together.
        seed: of the permutations.
        progress: show bars; None shows them on a terminal.

    Raises:
        QueryError: a memory without a run, or the rate is no share.
        DataError: a source cannot be read, there are too few pictures, none comes with a text or
            question where it takes one, or the run has no reference.
    """
    check_rate(rate)
    with ExitStack() as stack:
        model = run if isinstance(run, Model) else stack.enter_context(Model(run, memory))
        folder = fitted(model).folder
        known = (
            make_reference(model, reference, columns=columns, root=root, progress=progress)
            if reference is not None
            else (read_reference(folder))
        )
        looked = look(model, pictures, columns, root, progress)
        now = Signals.of(looked.answers)
        found = compare_signals(known.signals, now, rate, seed)
        order = np.argsort(now.numbers["similarity"], kind="stable")
        furthest = [
            Asked(
                looked.items[i].name,
                looked.items[i].picture,
                float(now.numbers["similarity"][i]),
                looked.answers[i],
            )
            for i in order
        ]
        return replace(found, furthest=furthest, notes=_notes(model, known, looked))


def make_reference(
    model: Model,
    pictures: Sources,
    *,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
    progress: bool | None = None,
) -> Reference:
    """Answer pictures of fitting time, and keep their signals as the run's reference.

    Args:
        model: a loaded run.
        pictures: that it was not trained on; see :func:`detect_drift`.
        columns, root, progress: see :func:`detect_drift`.

    Raises:
        BusyError: another process makes a reference of the run, or refits it.
    """
    folder = fitted(model).folder
    with locked(folder):
        signals = Signals.of(look(model, pictures, columns, root, progress).answers)
        return write_reference(folder, signals, model.memory.version)


def fitted(model: Model) -> Run:
    """The run that answers.

    Raises:
        QueryError: it is a memory alone, or was fitted for no task.
    """
    if model.run is None:
        raise QueryError(f"{model.memory.path} is a memory. Fit a run first: ravl fit classify")
    if not registry.of_run(model.run).answers:
        raise QueryError(
            f"{model.run.folder} was fitted for {model.task}, which gives no answers that could be "
            "compared. Name a run that answers, such as one of ravl fit classify."
        )
    return model.run


def look(
    model: Model,
    pictures: Sources,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
    progress: bool | None = None,
) -> Looked:
    """Answer pictures, a batch at a time; what cannot be read or asked is set aside.

    Raises:
        DataError: that is all of them.
    """
    looked = Looked()
    groups = {row.hash: row.group for row in model.memory.rows() if row.hash}
    sources = [pictures] if isinstance(pictures, One) else list(pictures)
    items = read_items(model, sources, columns, root, looked.rejected)
    with progress_bar("Answering", "pictures", progress) as advance:
        while batch := list(islice(items, BATCH)):
            _answer(model, batch, groups, looked)
            advance(len(batch), None)
    if looked.rejected and not looked.answers:
        raise DataError(f"None of the pictures can be compared. {looked.rejected[0]}")
    return looked


def _answer(model: Model, batch: Sequence[Item], groups: dict[str, int], looked: Looked) -> None:
    """Answer one batch; where a picture is broken, the others one by one."""
    try:
        hidden = [_showing(item.picture, groups) for item in batch]
        asked = (list(part) for part in zip(*(item.parts for item in batch), strict=True))
        answers = model.predictor.results(model.predictor.look(*asked), hidden)
    except PictureError as error:
        if len(batch) == 1:
            looked.rejected.append(Rejected(batch[0].name, str(error)))
            return
        for one in batch:
            _answer(model, [one], groups, looked)
        return
    looked.items += batch
    looked.answers += answers


def _showing(picture: Picture, groups: dict[str, int]) -> np.ndarray:
    """The memory's rows that hold this very picture, as groups."""
    if not isinstance(picture, str | bytes | Path):
        return np.zeros(0, np.int64)
    data = picture if isinstance(picture, bytes) else read_bytes(Path(picture))
    group = groups.get(content_hash(data))
    return np.array([] if group is None else [group], np.int64)


def _notes(model: Model, known: Reference, looked: Looked) -> list[str]:
    notes = []
    version = model.memory.version
    if version != known.version:
        notes.append(
            f"The memory has changed since the reference was made (version {known.version} → "
            f"{version}); that alone can change the similarity. Fit again, or make a new reference."
        )
    if looked.rejected:
        notes.append(
            f"{len(looked.rejected):,} pictures were set aside, such as {looked.rejected[0]}"
        )
    return notes
