"""One of four processes that change a memory at the same time, and know what must be there.

Each field of a row belongs to one process, which knows what it wrote last: the columns ``c0`` to
``c3`` to the process of that number, the label to process 0, the texts to 1, the tags to 2, and the
questions to 3. Rows belong to groups:

- ``shared``: always there; everybody changes all of them.
- ``doomed``: process 0 deletes them one by one; the others change them while they are there.
- ``thrown``: process 2 moves them to the trash and restores them.
- ``captioned``: process 1 indexes a table with a new caption and price for them, again and again.
- ``synced``: process 3 draws their pictures anew, and syncs their folder.
- ``of p``: new rows that process p adds and deletes.

Process 3 also gives the memory another encoder, and compacts it, in the middle of all this.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ravl.data import QA, Example
from ravl.data.pictures import content_hash
from ravl.encoders.base import SIDES, Array, Side
from ravl.errors import EncoderMismatchError, MemoryLockedError, RavlError, RowNotFoundError
from ravl.memory import Memory
from ravl.memory.adding import add_rows
from ravl.memory.editing import edit
from ravl.store.collection import Collection
from ravl.store.space import Space
from tests.helpers import COLOURS, ColourEncoder, draw
from tests.memory.soundness import find_colour_encoder
from tests.waiting import PATIENCE, pause

SIZES = {"shared": 12, "doomed": 24, "thrown": 6, "captioned": 6, "synced": 4}
PROCESSES = 4


def ids(group: str) -> list[str]:
    """Ids of the rows of a group, and names of their pictures."""
    prefix = "synced/" if group == "synced" else ""  # as sync names the rows of a second folder
    return [f"{prefix}{group}_{i}.png" for i in range(SIZES[group])]


def prepare(file: Path, folder: Path) -> None:
    """Make the memory, and the pictures of all groups."""
    with Memory.create(file, ColourEncoder()) as memory:
        for seed, group in enumerate(SIZES):
            (folder / group).mkdir(parents=True)
            for i, name in enumerate(ids(group)):
                colour = list(COLOURS)[i % len(COLOURS)]
                draw(100 * seed + i, colour).save(folder / group / Path(name).name)
            if group == "synced":
                memory.sync(folder / group, progress=False)
            else:
                memory.index(folder / group, progress=False)


class Hammer:
    """The changes of one process, and what it expects of them.

    Args:
        memory: to change, at the same time as others.
        folder: of the pictures.
        process: number of this process, from 0.
        count: how many changes it makes; those that are refused do not count.
    """

    def __init__(self, memory: Memory, folder: Path, process: int, count: int) -> None:
        self.memory, self.folder, self.process, self.count = memory, folder, process, count
        self.random = np.random.default_rng(process)
        self.counts: Counter[str] = Counter()
        self.columns: dict[str, dict[str, Any]] = {}  # by row, what was written last
        self.fields: dict[str, Any] = {}  # by row, this process's own field
        self.own: dict[str, list[str]] = {}  # texts of new rows
        self.deleted: list[str] = []
        self.trashed: list[str] = []
        self.hashes: dict[str, str] = {}  # of the pictures that were drawn anew
        self.captions: dict[str, str] = {}
        self._step = 0

    def run(self) -> dict[str, Any]:
        """Make the changes; what must be there afterwards, as JSON types."""
        special: list[tuple[int, Callable[[], None]]] = [
            (max(6, self.count // SIZES["doomed"]), self.delete_doomed),
            (12, self.index_captions),
            (5, self.throw_or_restore),
            (12, self.sync_pictures),
        ]
        every, mine = special[self.process]
        ways = [self.column, self.column, self.field, self.field, self.many_columns, self.add]
        ways += [self.add_with_picture, self.delete_own]
        while self.counts.total() - self.counts["refused"] < self.count:
            self._step += 1
            if self.process == 3 and self._step == self.count // 3:
                self.memory.reembed(ColourEncoder(turn=1), progress=False)
                self.counts["reembed"] += 1
            elif self.process == 3 and self._step == self.count // 2:
                # Another process may read just then: the sentence says so, and nothing is lost.
                with suppress(MemoryLockedError):
                    self.memory.compact()
                self.counts["compact"] += 1
            elif self._step % every == 0:
                mine()
            else:
                ways[self.random.integers(len(ways))]()
        return {
            "counts": self.counts,
            "columns": self.columns,
            "fields": self.fields,
            "own": self.own,
            "deleted": self.deleted,
            "trashed": self.trashed,
            "hashes": self.hashes,
            "captions": self.captions,
        }

    # --- what all processes do ---------------------------------------------------------------

    def column(self) -> None:
        """Write this process's column of any row."""
        id, value = self._any(*SIZES), self._step
        if self._tried("column", lambda: self.memory.update(id, columns=self._column(value))):
            self.columns.setdefault(id, {}).update(self._column(value))

    def many_columns(self) -> None:
        """Write this process's column of several rows that are always there."""
        some = self.random.choice(ids("shared"), 3, replace=False).tolist()
        changed = self.memory.update_columns({id: self._column(self._step) for id in some}, "many")
        assert changed == 3
        self.counts["columns of many rows"] += 1
        for id in some:
            self.columns.setdefault(id, {}).update(self._column(self._step))

    def field(self) -> None:
        """Write this process's own field of a row."""
        id = self._any("shared", "doomed", "thrown", "synced")
        word = f"{self._colour()} {self._step}"
        values: list[tuple[str, Any, Any]] = [
            ("label", word, word),
            ("texts", texts := [f"a {word} thing {i}" for i in range(self._step % 4)], texts),
            ("tags", [word], [word]),
            ("qa", [QA("what?", (word,))], [{"question": "what?", "answers": [word]}]),
        ]
        name, value, expected = values[self.process]
        if self._tried(name, lambda: self.memory.update(id, **{name: value})):
            self.fields[id] = expected

    def add(self) -> None:
        """A new row without a picture."""
        id, texts = f"of {self.process}: {self._step}", [f"a {self._colour()} note {self._step}"]
        add_rows(self.memory, [Example(id, texts=tuple(texts))])
        self.own[id] = texts
        self.counts["add"] += 1

    def add_with_picture(self) -> None:
        """A new row whose picture is copied in."""
        id, texts = f"of {self.process}: {self._step}", [f"a {self._colour()} copy"]
        path = self.folder / f"of {self.process}.png"
        draw(10_000 * self.process + self._step, self._colour(), (24, 16)).save(path)
        example = Example(id, path.read_bytes(), tuple(texts))
        if self._tried("add", lambda: self.memory.add([example], copy=True)):
            self.own[id] = texts

    def delete_own(self) -> None:
        """A row less, of those that this process added."""
        if self.own:
            id = str(self.random.choice(list(self.own)))
            self.memory.delete([id])
            self.counts["delete"] += 1
            del self.own[id]

    # --- what one process does ---------------------------------------------------------------

    def delete_doomed(self) -> None:
        """Process 0: a row less for good."""
        left = [id for id in ids("doomed") if id not in self.deleted]
        if left:
            self.memory.delete([left[0]])
            self.counts["delete"] += 1
            self.deleted.append(left[0])

    def index_captions(self) -> None:
        """Process 1: a table says something new of its rows, while others change them."""
        table = self.folder / "captioned" / "table.csv"
        caption = f"a {self._colour()} caption {self._step}"
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "caption", "price"])
            writer.writerows([id, caption, self._step] for id in ids("captioned"))
        try:
            report = self.memory.index(table, progress=False)
        except EncoderMismatchError:  # the memory got another encoder; the next run has it
            self.counts["refused"] += 1
            return
        assert report.rejected == 0, report.reasons
        self.counts["index"] += 1
        for id in ids("captioned"):
            self.captions[id] = caption
            self.columns.setdefault(id, {})["price"] = self._step

    def throw_or_restore(self) -> None:
        """Process 2: to the trash with a row, or back."""
        id = self._any("thrown")
        if id in self.trashed:
            assert self.memory.restore([id]) == [id]
            self.trashed.remove(id)
            self.counts["restore"] += 1
        else:
            edit(self.memory, "throw", trashed=[id])
            self.trashed.append(id)
            self.counts["trash"] += 1

    def sync_pictures(self) -> None:
        """Process 3: a picture is drawn anew."""
        id = self._any("synced")
        path = self.folder / id
        draw(50_000 + self._step, self._colour()).save(path)
        if self._tried("sync", lambda: self.memory.sync(progress=False)):
            self.hashes[id] = content_hash(path.read_bytes())

    # --- helpers -----------------------------------------------------------------------------

    def _tried(self, name: str, change: Callable[[], object]) -> bool:
        """Whether a change was made; a row that is gone is refused with a sentence."""
        try:
            change()
        except (RowNotFoundError, EncoderMismatchError):
            self.counts["refused"] += 1
            return False
        self.counts[name] += 1
        return True

    def _column(self, value: int) -> dict[str, Any]:
        return {f"c{self.process}": value}

    def _any(self, *groups: str) -> str:
        return str(self.random.choice([id for group in groups for id in ids(group)]))

    def _colour(self) -> str:
        return str(self.random.choice(list(COLOURS)))


class SlowEncoder(ColourEncoder):
    """Gives others time to write between what was read and what is written."""

    def embed_texts(self, texts: Sequence[str]) -> Array:
        pause(0.01)
        return super().embed_texts(texts)


def find_encoder(self: Collection, space: Space, sides: Sequence[Side] = SIDES) -> SlowEncoder:
    """In place of ``Collection._find_encoder``."""
    found = find_colour_encoder(self, space)
    assert isinstance(found, ColourEncoder)
    return SlowEncoder(found.turn)


if __name__ == "__main__":
    file, folder, process, count = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])
    Collection._find_encoder = find_encoder  # type: ignore[method-assign]
    with Memory.open(file, timeout=PATIENCE) as opened:
        print("ready", flush=True)
        sys.stdin.readline()  # until all are
        try:
            result = Hammer(opened, folder, process, count).run()
        except RavlError as error:
            sys.exit(f"process {process} was refused: {error!r}")
        print(json.dumps(result), flush=True)
