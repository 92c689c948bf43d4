"""What is new since a run was fitted, and which split each labelled picture belongs to now."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravl.errors import DataError, QueryError
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.refitting.champion import Champion
from ravl.retrieval.datastore import Ints
from ravl.runs.learned import SPLIT_FILE
from ravl.runs.run import Run
from ravl.store.row import user_fields
from ravl.training.examples import Examples, read_labelled, remember
from ravl.training.refit_hooks import RefitHooks
from ravl.training.refit_plan import HELD
from ravl.training.splits import LEFT_OUT, SPLIT_NAMES, Splits, draw
from ravl.untrusted import MOST_OF_PICTURES, read_json, reason_of

NEW = -2  # a picture that the run does not know
SEED = 100  # beside that of the fit: what is new is drawn by itself


@dataclass(frozen=True, eq=False)
class MemoryChanges:
    """The labelled pictures of the present memory; positions are among them, ascending.

    Args:
        examples: all of them.
        splits: for the challenger; its test split is ``frozen`` and ``newest`` together.
        frozen: the champion's test split.
        newest: new pictures that both are judged by.
        fresh: all that are new, but for near-duplicates of what is held out.
        changed: those of the champion's training split that were labelled anew.
        gone: hashes of its training pictures that are there no more.
        counts: new pictures by label, tag or answer; empty where there are no such names.
        since: version of the memory that the champion was fitted to.
        version: of the memory, when it was read.
        digest: of all this; equal for equal news.
    """

    examples: Examples
    splits: Splits
    frozen: Ints
    newest: Ints
    fresh: Ints
    changed: Ints
    gone: list[str]
    counts: dict[str, int]
    since: int
    version: int
    digest: str

    @property
    def count(self) -> int:
        """New and changed pictures, and those that are gone."""
        return len(self.fresh) + len(self.changed) + len(self.gone)

    def to_json(self) -> JsonObject:
        """What ``refits.json`` says of it."""
        return {
            "new": len(self.fresh),
            "changed": len(self.changed),
            "gone": len(self.gone),
            "labels": self.counts,
            "parts": {name: len(getattr(self.splits, name)) for name in SPLIT_NAMES},
            "memory_version": self.version,
            "frozen": len(self.frozen),
            "newest": len(self.newest),
        }


def known_splits(run: Run, memory: Memory) -> dict[str, int]:
    """The split of each picture that the run knows, by the hash of its file.

    Raises:
        DataError: the run does not say it.
    """
    file = run.folder / SPLIT_FILE
    try:
        split = read_json(file, MOST_OF_PICTURES)
        ids = {name: [str(id) for id in split[name]] for name in SPLIT_NAMES}
        hashes: dict[str, list[str]] | None = split.get("hashes")
        if hashes is not None:
            hashes = {name: list(map(str, hashes[name])) for name in SPLIT_NAMES}
    except Exception as error:
        raise DataError(
            f"{file} is missing or damaged ({reason_of(error)}), so it is not known what the run "
            f"has learned from. Fit it again with ravl fit {run.task}."
        ) from error
    if hashes is None:  # of an older ravl
        named = {row.id: row.hash for row in memory.rows() if row.hash is not None}
        hashes = {name: [named[id] for id in its if id in named] for name, its in ids.items()}
        if not hashes["test"]:
            raise DataError(
                f"{run.folder} was fitted to a table by an older ravl, which did not keep the "
                f"pictures that it was judged by. Fit it again with ravl fit {run.task}; from then "
                "on it can be refitted."
            )
    return {hash: number for number, name in enumerate(SPLIT_NAMES) for hash in hashes[name]}


@contextmanager
def examples(champion: Champion, work: Path) -> Iterator[Memory]:
    """The memory that holds all labelled pictures: the run's own, or one with what it held out.

    Args:
        champion: whose run may hold pictures that its memory does not show.
        work: a folder for a memory of both.
    """
    memory = champion.model.memory
    held = champion.run.folder / HELD
    if not held.exists():
        yield memory
        return
    work.mkdir(parents=True, exist_ok=True)
    for file in work.glob("data.ravl*"):
        file.unlink()
    shutil.copyfile(held, work / "data.ravl")
    with Memory.open(work / "data.ravl", memory.encoder) as both:
        own = read_labelled(memory, memory, champion.hooks.says)
        remember(both, own, "what the memory shows", lambda row: row.id)
        yield both


def read_news(champion: Champion, source: Memory, *, replay: int, newest: float) -> MemoryChanges:
    """Compare the labelled pictures with what the run knows.

    A new picture of a near-duplicate in training is trained on; one of a near-duplicate that is
    held out is left out. Of the others a share is held out to be judged by, and one to choose by.

    Args:
        champion: to be fitted again.
        source: of the labelled pictures, see :func:`examples`.
        replay: training pictures that the champion knows are no more than so many; 0 for all.
        newest: share of the new pictures to be judged by.

    Raises:
        DataError: nothing is left of a split.
    """
    run, memory, hooks = champion.run, champion.model.memory, champion.hooks
    version = memory.version
    examples = read_labelled(source, memory, hooks.says)
    known = known_splits(run, memory)
    touched = _touched(champion)
    split_of = np.array([known.get(row.hash or "", NEW) for row in examples.rows], np.int64)
    if source is not memory and touched is not None:  # what the table did not name stays out
        others = np.array([row.id not in touched for row in examples.rows], bool)
        split_of[(split_of == NEW) & others] = LEFT_OUT
    classes = [hooks.stratum(row) for row in examples.rows]
    fresh, judged = _divide(
        split_of,
        examples.groups,
        champion.settings.validation_share,
        champion.settings.seed,
        classes,
        newest,
    )
    frozen = split_of == SPLIT_NAMES.index("test")
    there = {row.hash for row in examples.rows}
    again = np.array([bool(touched and touched.get(row.id)) for row in examples.rows], bool)
    old = np.flatnonzero((split_of == 0) & ~fresh)
    train = np.sort(
        np.concatenate(
            [
                _replayed(old, classes, replay, champion.settings.seed),
                np.flatnonzero((split_of == 0) & fresh),
            ]
        )
    )
    for name, count in (
        ("training", len(train)),
        ("validation", (split_of == 1).sum()),
        ("test", frozen.sum()),
    ):
        if not count:
            raise DataError(
                f"No picture of the {name} split of {run.folder} is there any more, so it cannot "
                f"be refitted. Fit it again with ravl fit {run.task}."
            )
    splits = Splits(
        train,
        np.flatnonzero(split_of == 1),
        np.flatnonzero(frozen | judged),
        np.flatnonzero(split_of == LEFT_OUT),
        "as the last fit says; what is new since was drawn",
    )
    new = np.flatnonzero(fresh)
    counts = Counter(name for i in new for name in hooks.says(examples.rows[i]) if hooks.counted)
    gone = sorted(hash for hash, number in known.items() if number == 0 and hash not in there)
    digest = _digest(examples.rows, hooks, split_of, train, judged, gone)
    return MemoryChanges(
        examples,
        splits,
        np.flatnonzero(frozen),
        np.flatnonzero(judged),
        new,
        old[again[old]],
        gone,
        dict(sorted(counts.items())),
        int(run.record["memory"]["version"]),
        version,
        digest,
    )


def _divide(
    split_of: Ints, groups: Ints, share: float, seed: int, classes: Sequence[str], newest: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Give each new picture a split, in place; which are new, and which of them are judged by.

    The numbers of splits are 0 to 2; the newest test pictures get ``LEFT_OUT``'s neighbour 3.
    """
    fresh = split_of == NEW
    held = np.isin(groups, groups[(split_of == 1) | (split_of == 2)])
    split_of[(fresh | (split_of == 0)) & held] = LEFT_OUT
    fresh &= ~held
    free = np.where(fresh & ~np.isin(groups, groups[split_of == 0]), 0, LEFT_OUT)
    split_of[fresh] = 0
    for number, wanted in ((3, newest), (1, share)):
        if (free == 0).any() and wanted:
            drawn = draw(free, groups, classes, wanted, seed + SEED + number)
            free[drawn] = LEFT_OUT
            split_of[drawn] = number
    return fresh, split_of == 3


def _replayed(old: Ints, classes: Sequence[str], most: int, seed: int) -> Ints:
    """At most so many pictures, as evenly over the classes as their numbers allow; 0 for all."""
    if not most or len(old) <= most:
        return old
    by_class: dict[str, list[int]] = {}
    for i in np.random.default_rng(seed).permutation(old).tolist():
        by_class.setdefault(classes[i], []).append(i)
    # One of each class in turn: who is first in all classes comes before who is second in any.
    turns = sorted((turn, name, i) for name, its in by_class.items() for turn, i in enumerate(its))
    return np.array(sorted(i for _, _, i in turns[:most]), np.int64)


def _touched(champion: Champion) -> dict[str, bool] | None:
    """Rows that changed since the run was fitted, by id, and whether they were labelled anew.

    None where the memory is another one, or no longer knows.
    """
    try:
        changes = champion.model.memory.diff(int(champion.run.record["memory"]["version"]))
    except QueryError:
        return None
    return {
        change.id: change.before is not None
        and change.after is not None
        and _words(champion.hooks, change.before) != _words(champion.hooks, change.after)
        for change in changes
    }


def _words(hooks: RefitHooks, state: JsonObject) -> str:
    return hooks.words(Row(number=0, **user_fields(state)))


def _digest(
    rows: Sequence[Row],
    hooks: RefitHooks,
    split_of: Ints,
    train: Ints,
    judged: NDArray[np.bool_],
    gone: list[str],
) -> str:
    replayed = set(train.tolist())
    lines = sorted(
        f"{row.hash} {split_of[i]} {i in replayed} {judged[i]} {hooks.words(row)}"
        for i, row in enumerate(rows)
    )
    return hashlib.sha256("\n".join([*lines, *gone]).encode()).hexdigest()[:16]
