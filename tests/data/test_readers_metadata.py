"""Metadata files beside pictures, as an imagefolder of Hugging Face datasets has them."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ravl.data import read
from tests.data.reading import ids, pictures, read_all, read_good, write

ROWS = [
    {"file_name": "a.jpg", "text": "one", "label": "cat", "price": 3},
    {"file_name": "sub/b.jpg", "text": "two", "label": "dog", "price": 4},
]


def metadata(folder: Path, kind: str) -> None:
    if kind == "csv":
        lines = [",".join(ROWS[0]), *(",".join(map(str, row.values())) for row in ROWS)]
        write(folder / "metadata.csv", "\n".join(lines) + "\n")
    elif kind == "jsonl":
        write(folder / "metadata.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), folder / "metadata.parquet")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("inner", ["", "train/"])
def test_every_kind_at_every_depth(tmp_path: Path, kind: str, inner: str) -> None:
    pictures(tmp_path, f"{inner}a.jpg", f"{inner}sub/b.jpg", "other.jpg")
    metadata(tmp_path / inner, kind)
    found = {example.id: example for example in read_good(tmp_path)}
    first, second = found[f"{inner}a.jpg"], found[f"{inner}sub/b.jpg"]
    assert (first.texts, first.label, first.columns["price"]) == (("one",), "cat", 3)
    assert (second.texts, second.label, second.columns["price"]) == (("two",), "dog", 4)
    assert found["other.jpg"].texts == ()
    assert read(tmp_path).total == 3


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_it_agrees_with_datasets(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    pictures(tmp_path / "p", "a.jpg", "sub/b.jpg")
    metadata(tmp_path / "p", "csv")
    theirs = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "p"), split="train", cache_dir=str(tmp_path / "c")
    )
    said = [(row["text"], row["label"], row["price"]) for row in theirs]
    del theirs
    gc.collect()  # it leaves the file open
    ours = read_good(tmp_path / "p")
    assert said == [(e.texts[0], e.label, e.columns["price"]) for e in ours]


def test_the_text_beside_and_the_folder_say_the_rest(tmp_path: Path) -> None:
    pictures(tmp_path, "cat/a.jpg", "dog/b.jpg")
    write(tmp_path / "cat/a.txt", "beside")
    write(tmp_path / "metadata.csv", "file_name,text\ncat/a.jpg,one\n")
    first, second = read_good(tmp_path)
    assert (first.texts, first.label) == (("one", "beside"), "cat")
    assert (second.texts, second.label) == ((), "dog")


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    pictures(tmp_path, "a.jpg", "sub/b.jpg")
    write(tmp_path / "metadata.csv", "file_name,text\na.jpg,one\nno.jpg,two\n,three\n")
    write(tmp_path / "sub/metadata.csv", "name,text\nb.jpg,one\n")
    examples, rejected = read_all(tmp_path)
    assert ids(examples) == ["a.jpg", "sub/b.jpg"]
    assert [r.place for r in rejected] == [
        "metadata.csv: metadata.csv, line 3",
        "metadata.csv: metadata.csv, line 4",
        "sub/metadata.csv",
    ]
    assert "but no column 'file_name'" in rejected[2].reason


def test_a_table_of_captions_stands_in_its_place(tmp_path: Path) -> None:
    shop = pictures(tmp_path / "shop", "a.jpg")
    write(shop / "metadata.csv", "file_name,text\na.jpg,one\n")
    about = write(tmp_path / "about.csv", "image,caption\na.jpg,two\n")
    source = read(shop, captions=about)
    (example,) = (e for e in source)
    assert getattr(example, "texts", None) == ("two",)
    assert getattr(source, "skipped", None) == {"CSV": 1}
