"""Every command that writes, with what it needs and what it may leave behind when it is killed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import ravl
from ravl import addresses
from ravl.checking.unencoded import unencoded
from ravl.demo.run import run as demo
from ravl.drift.comparing import make_reference
from ravl.encoders.trained import TrainedEncoder
from ravl.errors import DataError, RavlError
from ravl.exports.run import export_run
from ravl.forgetting import forget
from ravl.memory import Memory
from ravl.memory.editing import edit
from ravl.refitting.versions import current, rollback
from ravl.runs.drift_reference import read_reference
from ravl.serving.batching import Batcher
from ravl.serving.keys import Keys, keep_line
from ravl.serving.metrics import Metrics
from ravl.serving.models import Served
from ravl.serving.monitor import Monitor
from ravl.serving.reviewing import open_entries, remember
from ravl.sharing.copies import check_memory
from ravl.store import collection
from ravl.store.sqlite.feedback import Entry, FeedbackStore, beside
from ravl.tasks.augment import augment
from ravl.tuning.tune import tune
from tests.helpers import ColourEncoder, draw, make_examples, make_pictures
from tests.labelled import shades
from tests.memory.soundness import is_sound
from tests.training.painted import Scrambled, fitted, paint

State = Mapping[str, object]  # what a command works on, piece by piece
PIECES = 16  # rows at the beginning


@dataclass(frozen=True)
class Command:
    """A command to be killed.

    Args:
        name: of it.
        prepare: makes what it needs in a new folder.
        run: the command, in that folder.
        look: what is there, piece by piece; checks that it is sound.
        changes: False for a command that changes nothing that can be seen.
        ended: whether the work has ended, for a command that does more if it is repeated then.
        together: whether two of it at once do what one does.
        between: what a piece may be besides, until the command is repeated.
    """

    name: str
    prepare: Callable[[Path], object]
    run: Callable[[Path], object]
    look: Callable[[Path], State]
    changes: bool = True
    ended: Callable[[Path], bool] = lambda folder: False
    together: bool = True
    between: tuple[object, ...] = ()

    def check(self, before: State, left: State, after: State, where: str) -> None:
        """Each piece is as it was or as it shall be; none is lost, and none is a mixture."""
        for name in {*before, *left, *after}:
            allowed = (before.get(name), after.get(name), *self.between)
            assert left.get(name) in allowed, f"{where}: {name!r} is {left.get(name)}"


def opened(folder: Path, name: str = "shop.ravl") -> Memory:
    """The memory of a folder."""
    return Memory.open(folder / name)


def rows_of(folder: Path, name: str = "shop.ravl") -> State:
    """Each row, with its entry in the trash, of a memory that is sound and that ravl accepts."""
    if not (folder / name).exists():
        return {}
    with opened(folder, name) as memory:
        is_sound(memory)
        rows = {row.id: _said(row) for row in memory}
        trashed = {entry.row.id: _said(entry.row) for entry in memory.trashed()}
        found: dict[str, object] = {id: (rows.get(id), trashed.get(id)) for id in {*rows, *trashed}}
        found["the encoder"] = memory.encoder.fingerprint.digest
        assert unencoded(memory) == []
    check_memory(folder / name)
    return found


def _said(row: ravl.Row) -> tuple[object, ...]:
    return row.texts, row.label, row.tags, row.qa, tuple(sorted(row.columns.items())), row.hash


def files_of(name: str) -> Callable[[Path], State]:
    """A folder as one piece: it is there with all of its files, or it is not."""

    def look(folder: Path) -> State:
        place = folder / name
        files = sorted(p for p in place.rglob("*") if p.is_file())
        return {
            **rows_of(folder),
            name: tuple(
                (p.relative_to(place).as_posix(), hashlib.sha256(p.read_bytes()).hexdigest())
                for p in files
            ),
        }

    return look


def answers_of(folder: Path) -> State:
    """Whether a run answers; a run that was not ended is refused with a sentence."""
    with opened(folder) as memory:
        try:
            with ravl.load(folder / "run", memory) as model:
                answer: object = model.classify(draw(7, "red")).label
        except RavlError:
            answer = None
    version = current(folder / "run") if answer is not None else None
    return {**rows_of(folder), "answer": answer, "version": version}


def shop(folder: Path, count: int = PIECES, copy: bool = False) -> None:
    """A memory of some pictures, which lie beside it."""
    with Memory.create(folder / "shop.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(folder / "pictures", count), copy=copy)


def _trash(folder: Path) -> None:
    shop(folder, copy=True)
    with opened(folder) as memory:
        edit(memory, "throw", trashed=[row.id for row in list(memory)[:6]])


def _deleted(folder: Path) -> None:
    shop(folder)
    with opened(folder) as memory:
        memory.delete([row.id for row in list(memory)[:6]])


def _followed(folder: Path) -> None:
    """A folder that is followed, in which then pictures come, change, move and go."""
    make_pictures(folder / "pictures", PIECES)
    with Memory.create(folder / "shop.ravl", ColourEncoder()) as memory:
        memory.sync(folder / "pictures", progress=False)
    paths = sorted((folder / "pictures").glob("*.png"))
    paths[0].unlink()
    draw(900, "white").save(paths[1])
    paths[2].rename(folder / "pictures" / "moved.png")
    draw(901, "black").save(folder / "pictures" / "new.png")


def _two(folder: Path) -> None:
    shop(folder)
    with Memory.create(folder / "other.ravl", ColourEncoder()) as other:
        other.add(make_examples(folder / "theirs", 24)[8:], copy=True)


def _exported(folder: Path) -> None:
    shop(folder, copy=True)
    with opened(folder) as memory:
        memory.export(folder / "out")
    (folder / "shop.ravl").unlink()
    shop(folder, 8)


def _pushed(folder: Path) -> None:
    shop(folder, copy=True)
    ravl.push(folder / "shop.ravl", folder / "place", progress=False)


def _labelled(folder: Path) -> None:
    with Memory.create(folder / "shop.ravl", ColourEncoder()) as memory:
        memory.add(shades(folder / "pictures"))


def _fit(folder: Path) -> None:
    with opened(folder) as memory:
        ravl.fit("classify", memory, out=folder / "run", progress=False, model="linear")


def _run_and_news(folder: Path) -> None:
    _labelled(folder)
    _fit(folder)
    with opened(folder) as memory:
        memory.add(shades(folder / "pictures", 16, ("purple", "red"), 300))


def _refitted(folder: Path) -> None:
    """A run of three versions."""
    _run_and_news(folder)
    _refit(folder)
    with opened(folder) as memory:
        memory.add(shades(folder / "pictures", 16, ("purple", "red"), 600))
    _refit(folder)


def _inbox(folder: Path) -> None:
    """What people said: about a row, about a picture that they sent, and what is left out."""
    shop(folder)
    store = FeedbackStore(beside(folder / "shop.ravl"))
    said: dict[str, Any] = {"who": "ann", "run": "run", "task": "classify", "answer": "red"}
    store.add(Entry(**said, row=FIRST[0], verdict="corrected", correction="green"))
    store.add(Entry(**said, verdict="accepted"), _png(950))
    store.add(Entry(**said, row=FIRST[1], verdict="rejected"))
    store.close()


def _png(seed: int) -> bytes:
    out = io.BytesIO()
    draw(seed, "red").save(out, "PNG")
    return out.getvalue()


def _review(folder: Path) -> None:
    store = FeedbackStore(beside(folder / "shop.ravl"))
    with opened(folder) as memory:
        for entry in open_entries(store):
            if entry.verdict == "rejected":
                store.settle(entry.number, "dismissed")
            else:
                remember(memory, store, entry)
    store.close()


def _say(folder: Path) -> None:
    store = FeedbackStore(beside(folder / "shop.ravl"))
    said: dict[str, Any] = {"who": "ann", "run": "run", "task": "classify", "answer": "red"}
    store.add(Entry(**said, verdict="accepted"), _png(950))
    store.close()


def _said_of(folder: Path) -> State:
    """The state of each entry; a picture that was sent comes with its entry."""
    store = FeedbackStore(beside(folder / "shop.ravl"))
    found = {f"feedback {e.number}": (e.state, store.picture(e.number)) for e in store.entries()}
    store.close()
    return {**rows_of(folder), **found}


def _fitted(folder: Path) -> None:
    _labelled(folder)
    _fit(folder)
    _make_reference(folder)  # the run's own is of too few pictures


def _export_run(folder: Path) -> None:
    with opened(folder) as memory:
        export_run(folder / "run", folder / "out", memory=memory, sample=4)


def _make_reference(folder: Path) -> None:
    with opened(folder) as memory, ravl.load(folder / "run", memory) as model:
        some = sorted((folder / "pictures").glob("*.png"))[: 20 + 4 * _references(folder)]
        make_reference(model, some, progress=False)


def _references(folder: Path) -> int:
    """0 before there is a reference of enough pictures."""
    return int(len(read_reference(folder / "run").signals) >= 20)


def _reference_of(folder: Path) -> State:
    return {**answers_of(folder), "reference": len(read_reference(folder / "run").signals)}


def _watch(folder: Path) -> None:
    """Answers that are compared with fitting time: one full window, and a part of the next."""
    with opened(folder) as memory, ravl.load(folder / "run", memory) as model:
        batcher = Batcher("run", queue=1, together=1, wait=0)
        served = Served("run", "classify", model, batcher, folder / "run")
        monitor = Monitor(folder / "drift.json", [served], Metrics(), window=20)
        answers = model.classify([draw(i, "red") for i in range(24)])
        monitor.saw("run", enumerate(answers))
        monitor.close()
        batcher.close()


def _watched(folder: Path) -> State:
    file = folder / "drift.json"
    found = json.loads(file.read_text("utf-8"))["run"] if file.exists() else None
    return {"windows": found and (found["tested"], len(found["waiting"]["similarity"]))}


def _pushed_again(folder: Path) -> None:
    """What was pulled is not what lies at the place any more."""
    _pushed(folder)
    _pull(folder)
    with opened(folder) as memory:
        _label(memory)
    _push(folder)


def _changed(folder: Path) -> None:
    _pushed(folder)
    with opened(folder) as memory:
        _label(memory)


def _painted(folder: Path) -> None:
    with Memory.create(folder / "shop.ravl", Scrambled()) as memory:
        memory.add(paint(folder / "pictures"))


def _fit_search(folder: Path) -> None:
    with opened(folder) as memory:
        fitted(memory, folder / "run", epochs=2)


def _searched(folder: Path) -> State:
    """Weights of a training that was cut off may differ in their last digits."""
    with opened(folder) as memory:
        trained = isinstance(memory.encoder, TrainedEncoder)
    found = {**rows_of(folder), "the encoder": trained}
    return {**found, "report": (folder / "run" / "report.html").exists()}


def _tune(folder: Path) -> None:
    with opened(folder) as memory:
        tune("classify", memory, out=folder / "out", trials=2, model="vote", progress=False)


def _tuned(folder: Path) -> State:
    """The trials and the answer, once the search has ended; its times are left out."""
    found: object = None
    if (folder / "out" / "report.html").exists():
        with (folder / "out" / "trials.csv").open(encoding="utf-8", newline="") as lines:
            trials = [dict(line, seconds="") for line in csv.DictReader(lines)]
        with opened(folder) as memory, ravl.load(folder / "out" / "best", memory) as model:
            found = trials, model.classify(draw(7, "red")).label
    return {**rows_of(folder), "search": found}


def _fitted_with_silent(folder: Path) -> None:
    """A run, and pictures since that nobody has said anything about."""
    _labelled(folder)
    _fit(folder)
    silent = [replace(e, label=None, tags=(), texts=()) for e in _more(folder)]
    with opened(folder) as memory:
        memory.add(silent)


def _more(folder: Path) -> list[ravl.Example]:
    return shades(folder / "pictures", 16, ("yellow", "red"), 300)


def _augment(folder: Path) -> None:
    with opened(folder) as memory, ravl.load(folder / "run", memory) as model:
        augment(model, progress=False)


def _demo(folder: Path) -> None:
    with patch.object(collection, "load_encoder", lambda spec: ColourEncoder()):
        demo(folder / "pictures", folder / "demo", lambda line: None)


def _shown(folder: Path) -> State:
    page = folder / "demo" / "index.html"
    whole = page.exists() and page.read_text("utf-8").rstrip().endswith("</html>")
    return {**rows_of(folder, "demo/demo.ravl"), "page": whole}


def _new_key(folder: Path) -> None:
    keep_line(folder / "keys.txt", f"second write sha256:{'1' * 64}")


def _key(folder: Path) -> None:
    keep_line(folder / "keys.txt", f"first read sha256:{'0' * 64}")


def _keys(folder: Path) -> State:
    return {"keys": len(Keys(folder / "keys.txt", {}))}


def _allow(folder: Path, name: str = "hf:a/second") -> None:
    with patch.dict(os.environ, {addresses.FOLDER: str(folder / "config")}):
        addresses.allow(name)


def _forbid(folder: Path) -> None:
    with patch.dict(os.environ, {addresses.FOLDER: str(folder / "config")}):
        addresses.forbid("hf:a/first")


def _allowed(folder: Path) -> State:
    text = (folder / "config" / "addresses").read_text("utf-8")
    return dict.fromkeys(text.splitlines(), True)


FIRST = ("black_004.png", "black_012.png", "blue_002.png", "blue_010.png", "green_001.png")


def _on(work: Callable[[Memory], object]) -> Callable[[Path], object]:
    """A command that opens the memory first."""

    def run(folder: Path) -> None:
        with opened(folder) as memory:
            work(memory)

    return run


def _indexable(folder: Path) -> None:
    """A folder in which pictures have come and changed since it was indexed."""
    shop(folder)
    paths = make_pictures(folder / "pictures", 40)
    for i, path in enumerate(paths[:3]):
        draw(900 + i, "orange").save(path)


def _relabelled(folder: Path) -> None:
    shop(folder)
    with opened(folder) as memory:
        _label(memory)


def _label(memory: Memory) -> None:
    edit(memory, "label", {id: lambda row: replace(row, label="a label") for id in FIRST})


def _merge(folder: Path) -> None:
    with opened(folder) as memory, opened(folder, "other.ravl") as other:
        memory.merge(other)


def _push(folder: Path) -> None:
    ravl.push(folder / "shop.ravl", folder / "place", progress=False)


def _pull(folder: Path) -> None:
    ravl.pull(folder / "place", folder / "here", progress=False)


def _what_is_pulled(folder: Path) -> State:
    """What somebody else would get."""
    with tempfile.TemporaryDirectory() as elsewhere:
        with suppress(DataError):
            ravl.pull(folder / "place", Path(elsewhere) / "here", progress=False)
        return {"pulled": rows_of(Path(elsewhere) / "here"), **rows_of(folder)}


def _pulled(folder: Path) -> State:
    return rows_of(folder / "here")


_index = _on(lambda memory: memory.index(memory.folder / "pictures", progress=False))
_export = _on(lambda memory: memory.export(memory.folder / "out"))
_import = _on(lambda memory: memory.index(memory.folder / "out", progress=False))
_refit = _on(
    lambda memory: ravl.refit(memory.folder / "run", memory, promote="always", progress=False)
)
COMMANDS = {
    command.name: command
    for command in (
        Command("index", _indexable, _index, rows_of),
        Command("sync", _followed, _on(lambda memory: memory.sync(progress=False)), rows_of),
        Command(
            "update",
            shop,
            _on(lambda memory: memory.update(FIRST[0], texts=["another"], label="other")),
            rows_of,
        ),
        Command("edit", shop, _on(_label), rows_of),
        Command("trash", shop, _on(lambda memory: edit(memory, "throw", trashed=FIRST)), rows_of),
        Command("restore", _trash, _on(lambda memory: memory.restore()), rows_of),
        Command("empty trash", _trash, _on(lambda memory: memory.empty_trash()), rows_of),
        Command("delete", shop, _on(lambda memory: memory.delete(FIRST)), rows_of),
        Command("revert", _relabelled, _on(lambda memory: memory.revert(1)), rows_of),
        Command("forget", shop, _on(lambda memory: forget(memory, FIRST)), rows_of),
        Command("compact", _deleted, _on(lambda memory: memory.compact()), rows_of, changes=False),
        Command(
            "reembed",
            shop,
            _on(lambda memory: memory.reembed(ColourEncoder(turn=1), progress=False)),
            rows_of,
        ),
        Command("merge", _two, _merge, rows_of),
        Command("import", _exported, _import, rows_of),
        Command(
            "export",
            shop,
            _on(lambda memory: memory.export(memory.folder / "out")),
            files_of("out"),
        ),
        Command("push", shop, _push, _what_is_pulled),
        Command("pull", _pushed, _pull, _pulled),
        Command("fit", _labelled, _fit, answers_of),
        Command("refit", _run_and_news, _refit, answers_of),
        Command(
            "rollback",
            _refitted,
            lambda folder: rollback(folder / "run"),
            answers_of,
        ),
        Command(
            "feedback",
            shop,
            _say,
            _said_of,
            ended=lambda folder: "feedback 1" in _said_of(folder),
            together=False,
        ),
        Command("inbox", _inbox, _review, _said_of),
        Command("export of a run", _fitted, _export_run, files_of("out")),
        Command("drift reference", _fitted, _make_reference, _reference_of),
        Command(
            "drift windows",
            _fitted,
            _watch,
            _watched,
            ended=lambda folder: (folder / "drift.json").exists(),
            together=False,
        ),
        # Nobody pulls a half-sent update: the place says that the push has not ended.
        Command("push again", _changed, _push, _what_is_pulled, between=({},)),
        Command("pull again", _pushed_again, _pull, _pulled),
        Command("fit search", _painted, _fit_search, _searched),
        Command("tune", _labelled, _tune, _tuned),
        Command("augment", _fitted_with_silent, _augment, rows_of),
        Command("demo", lambda folder: make_pictures(folder / "pictures", 8), _demo, _shown),
        Command("new key", _key, _new_key, _keys),
        Command("allow", lambda folder: _allow(folder, "hf:a/first"), _allow, _allowed),
        Command("allow --remove", lambda folder: _allow(folder, "hf:a/first"), _forbid, _allowed),
    )
}
