"""``ravl drift``: pictures of now against those of fitting time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ravl.data import ColumnNames, Rejected
from ravl.data.pictures import content_hash, read_bytes
from ravl.data.readers import read
from ravl.data.readers.folder import SUFFIXES
from ravl.drift.reference import Reference, read_reference, write_reference
from ravl.drift.report import RATE, Asked, Drift, check_rate, compare_signals
from ravl.drift.signals import Signals
from ravl.errors import PictureError, QueryError
from ravl.memory import Memory
from ravl.progress import progress_bar
from ravl.tasks.label_model import LabelModel, picture_list
from ravl.tasks.model import Model
from ravl.tasks.results import Answer

BATCH = 64  # pictures that are answered in one pass


@dataclass(eq=False)
class Looked:
    """Pictures that were answered.

    Args:
        names, pictures, answers: of each.
        rejected: what could not be read.
    """

    names: list[str] = field(default_factory=list)
    pictures: list[Any] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def detect_drift(
    run: Model | str | Path, pictures: Any, *, reference: Any = None,
    memory: Memory | str | Path | None = None, columns: ColumnNames | None = None,
    root: str | Path | None = None, rate: float = RATE, seed: int = 0,
    progress: bool | None = None,
) -> Drift:  # fmt: skip
    """Whether pictures differ from those that a run was fitted for; needs no labels.

    Compared are the likeness of the nearest rows of the memory, the confidence, the disagreement
    of vote and model, and the mix of answers, with what the run's test part gave at fitting time.
    A picture that the memory holds is hidden from itself.

    Args:
        run: the folder of a run of classify or tag, or a loaded model.
        pictures: a folder, a table, a picture, or a list of these.
        reference: pictures to compare with in place of the test part: of fitting time, and not
            trained on. They become the run's reference.
        memory: to answer from, instead of the run's own.
        columns: what a table's columns are called.
        root: the folder that a table's pictures lie in; None for the table's own.
        rate: how often there may be a false alarm, over all signals together.
        seed: of the permutations.
        progress: show bars; None shows them on a terminal.

    Raises:
        QueryError: the run was fitted for another task, or the rate is no share.
        DataError: a source cannot be read, there are too few pictures, or the run has no
            reference.
    """
    check_rate(rate)
    how: dict[str, Any] = {"columns": columns, "root": root, "progress": progress}
    with ExitStack() as stack:
        model = run if isinstance(run, Model) else stack.enter_context(Model(run, memory))
        labels = label_model(model)
        known = make_reference(model, reference, **how) if reference is not None else (
            read_reference(labels.run.folder)
        )  # fmt: skip
        looked = look(labels, pictures, **how)
        now = Signals.of(looked.answers)
        found = compare_signals(known.signals, now, rate, seed)
        order = np.argsort(now.numbers["likeness"], kind="stable")
        furthest = [
            Asked(
                looked.names[i], looked.pictures[i], float(now.numbers["likeness"][i]),
                looked.answers[i],
            )
            for i in order
        ]  # fmt: skip
        return replace(found, furthest=furthest, notes=_notes(labels, known, looked))


def make_reference(model: Model, pictures: Any, **how: Any) -> Reference:
    """Answer pictures of fitting time, and keep their signals as the run's reference.

    Args:
        model: a loaded run.
        pictures: that it was not trained on; see :func:`detect_drift`.
        **how: ``columns``, ``root`` and ``progress`` of :func:`detect_drift`.
    """
    labels = label_model(model)
    return write_reference(labels, Signals.of(look(labels, pictures, **how).answers))


def label_model(model: Model) -> LabelModel:
    """What answers classify or tag.

    Raises:
        QueryError: it was fitted for something else.
    """
    if not isinstance(model.predictor, LabelModel):
        raise QueryError(
            f"Drift is told of runs of classify and tag, and this one is of {model.task}."
            if model.run is not None else
            f"{model.memory.path} is a memory. Fit a run first: ravl fit classify"
        )  # fmt: skip
    return model.predictor


def look(
    model: LabelModel, pictures: Any, columns: ColumnNames | None = None,
    root: str | Path | None = None, progress: bool | None = None,
) -> Looked:  # fmt: skip
    """Answer pictures, a batch at a time; what cannot be read is set aside."""
    looked = Looked()
    groups = {row.hash: row.twin or row.number for row in model.memory.rows() if row.hash}
    items = _items(picture_list(pictures)[0], columns, root, looked.rejected)
    with progress_bar("Answering", "pictures", progress) as advance:
        while batch := list(islice(items, BATCH)):
            _answer(model, batch, groups, looked)
            advance(len(batch), None)
    return looked


def _answer(
    model: LabelModel, batch: Sequence[tuple[str, Any]], groups: dict[str, int],
    looked: Looked,
) -> None:  # fmt: skip
    """Answer one batch; where a picture is broken, the others one by one."""
    try:
        hidden = [_showing(picture, groups) for _, picture in batch]
        answers = model.results(model.look([picture for _, picture in batch]), hidden)
    except PictureError as error:
        if len(batch) == 1:
            looked.rejected.append(Rejected(batch[0][0], str(error)))
            return
        for one in batch:
            _answer(model, [one], groups, looked)
        return
    looked.names += [name for name, _ in batch]
    looked.pictures += [picture for _, picture in batch]
    looked.answers += answers


def _showing(picture: Any, groups: dict[str, int]) -> np.ndarray:
    """The memory's rows that hold this very picture, as groups."""
    if not isinstance(picture, str | bytes | Path):
        return np.zeros(0, np.int64)
    data = picture if isinstance(picture, bytes) else read_bytes(Path(picture))
    group = groups.get(content_hash(data))
    return np.array([] if group is None else [group], np.int64)


def _items(
    sources: Sequence[Any], columns: ColumnNames | None, root: str | Path | None,
    rejected: list[Rejected],
) -> Iterator[tuple[str, Any]]:  # fmt: skip
    """Names and pictures of files, folders, tables, bytes and PIL pictures."""
    for number, source in enumerate(sources, 1):
        if not isinstance(source, str | Path):
            yield f"picture {number}", source
        elif Path(source).suffix.lower() in SUFFIXES:
            yield str(source), Path(source)
        else:
            folder = Path(source).is_dir()
            options: dict[str, Any] = {} if folder else {"columns": columns, "root": root}
            for example in read(source, **options):
                if isinstance(example, Rejected):
                    rejected.append(example)
                elif example.picture is not None:
                    yield example.id, example.picture


def _notes(model: LabelModel, known: Reference, looked: Looked) -> list[str]:
    notes = []
    version = model.memory.version
    if version != known.version:
        notes.append(
            f"The memory has changed since the reference was made (version {known.version} → "
            f"{version}); that alone can change the likeness. Fit again, or make a new reference."
        )
    if looked.rejected:
        notes.append(
            f"{len(looked.rejected):,} pictures could not be read, such as {looked.rejected[0]}"
        )
    return notes
