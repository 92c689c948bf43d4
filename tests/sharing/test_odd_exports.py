"""Exports and tables that a stranger has made: rows or a sentence, and nothing else is read."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from ravl.checking.unencoded import unencoded
from ravl.data import QA, Example
from ravl.data.pictures import content_hash
from ravl.errors import RavlError
from ravl.memory import Memory
from ravl.sharing.copies import check_memory
from tests.helpers import ColourEncoder, draw, make_examples
from tests.odd_tables import odd_folder, odd_table
from tests.watching import little_memory

FEW, MANY = 24, 1500
LONG = 2_000  # characters of an error, which is a sentence and not what was in the file
RESULTS = {"all", "some", "none", "refused"}
TABLE = ["image,caption,label,tags,price,split"]
SOURCES = {  # what is read, and the table in it
    "jsonl": ("", "rows.jsonl"),
    "parquet": ("rows.parquet", "rows.parquet"),
    "table.csv": ("about.csv", "about.csv"),
    "table.tsv": ("about.tsv", "about.tsv"),
    "coco": ("coco.json", "coco.json"),
    "vqa": ("questions.json", "questions.json"),
    "beside": ("", "metadata.csv"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of each kind of source, with six pictures."""
    folder = tmp_path_factory.mktemp("exports")
    with Memory.create(folder / "m.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(folder / "pictures", 6))
        memory.add([Example("a note", texts=("only a text",), columns={"n": 1, "t": "1e5"})])
        memory.update("red_000.png", qa=[QA("which colour?", ("red",))], tags=["a", "b"])
        memory.export(folder / "jsonl")
        memory.export(folder / "parquet", "parquet")
    names = sorted(p.name for p in (folder / "pictures").glob("*.png"))
    for kind in SOURCES:
        (folder / kind / "pictures").mkdir(parents=True, exist_ok=True)
        if kind not in ("jsonl", "parquet"):
            for name in names:
                shutil.copy(folder / "pictures" / name, folder / kind / "pictures")
    lines = [f"pictures/{n},a {n[:3]} thing,{n[:3]},x;y,{i},train" for i, n in enumerate(names)]
    text = "\n".join([*TABLE, *lines]) + "\n"
    (folder / "table.csv" / "about.csv").write_text(text)
    (folder / "table.tsv" / "about.tsv").write_text(text.replace(",", "\t"))
    (folder / "beside" / "metadata.csv").write_text(text.replace("image", "file_name"))
    images = [{"id": i, "file_name": f"pictures/{n}"} for i, n in enumerate(names)]
    said = [{"image_id": i, "id": i, "caption": f"a {n[:3]} thing"} for i, n in enumerate(names)]
    _json(folder / "coco" / "coco.json", {"images": images, "annotations": said})
    asked = [
        {"image_id": i, "question_id": i, "question": "what?", "image": f"pictures/{n}"}
        for i, n in enumerate(names)
    ]
    _json(folder / "vqa" / "questions.json", {"questions": asked})
    return folder


def _json(file: Path, record: object) -> None:
    file.write_text(json.dumps(record), "utf-8")


def attack(sound: Path, scratch: Path, numbers: Iterable[int]) -> Counter[str]:
    """Read the odd sources of these numbers; how often each result was seen."""
    counts: Counter[str] = Counter()
    draw(77, "purple").save(scratch / "secret.png")
    secret = content_hash((scratch / "secret.png").read_bytes())
    for number in numbers:
        chance = random.Random(number)
        kind = chance.choice(list(SOURCES))
        source, table = SOURCES[kind]
        folder = scratch / "source"
        shutil.copytree(sound / kind, folder)
        (folder / "link.png").symlink_to(scratch / "secret.png")
        (folder / "loop").symlink_to(folder)
        odd = odd_folder(folder, chance) if chance.random() < 0.2 else ""
        if not odd:
            odd = odd_table(folder / table, chance)
        try:
            counts[_read(folder / source, scratch, secret)] += 1
        except Exception as error:
            error.add_note(f"export {number}: {kind}: {odd}")
            raise
        finally:
            shutil.rmtree(folder)
    return counts


def _read(source: Path, scratch: Path, secret: str) -> str:
    """Read a source into a memory that has a row already."""
    file = scratch / "new.ravl"
    with Memory.create(file, ColourEncoder()) as memory:
        memory.add([Example("mine", texts=("my own row",))])
        try:
            with little_memory():
                report = memory.index(source, progress=False)
            found = "all" if not report.rejected else "some" if report.added else "none"
        except RavlError as error:
            found = "refused" if len(str(error)) < LONG else f"a long sentence: {error!s:.300}"
        assert memory.get("mine").texts == ("my own row",)
        assert secret not in {row.hash for row in memory.rows()}, "a file outside was read"
        assert unencoded(memory) == []
        str(memory.info().to_json()), [str(row.to_json()) for row in memory.rows()]
        memory.export(scratch / "out")
        with Memory.create(scratch / "back.ravl", ColourEncoder()) as back:
            back.index(scratch / "out", copy=True, progress=False)
            assert {row.id: _said(row) for row in back.rows()} == {
                row.id: _said(row) for row in memory.rows()
            }, "what goes out comes back"
    check_memory(file)
    shutil.rmtree(scratch / "out")
    for each in (file, scratch / "back.ravl"):
        each.unlink()
    return found


def _said(row: object) -> object:
    from ravl.memory import Row

    assert isinstance(row, Row)
    return row.texts, row.label, row.tags, row.qa, dict(row.columns), row.hash


def test_some_odd_exports(sound: Path, tmp_path: Path, watched: None) -> None:
    counts = attack(sound, tmp_path, range(FEW))
    assert counts["all"] and counts["some"]
    assert counts.keys() <= RESULTS


@pytest.mark.slow
def test_many_odd_exports(sound: Path, tmp_path: Path, watched: None) -> None:
    counts = attack(sound, tmp_path, range(MANY))
    print(counts)
    assert counts.keys() <= RESULTS
