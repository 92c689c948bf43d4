"""``read`` finds the reader for a source, and refuses what it does not know."""

import json
import subprocess
import sys

import pytest

from ravl.data import ColumnNames, read
from ravl.errors import DataError
from tests.data.reading import ids, pictures, read_good, write


def test_missing_source(tmp_path):
    with pytest.raises(DataError, match=r"no file or folder .*nothing.*Allowed are a folder"):
        read(tmp_path / "nothing")


def test_unknown_suffix_says_what_is_allowed(tmp_path):
    with pytest.raises(
        DataError, match=r"cannot read examples from .*notes\.docx.*\.csv.*save_to_disk"
    ):
        read(write(tmp_path / "notes.docx", "x"))


def test_single_picture_names_its_folder(tmp_path):
    pictures(tmp_path, "a.jpg")
    with pytest.raises(DataError, match="It is a picture: give its folder"):
        read(tmp_path / "a.jpg")


def test_unknown_json(tmp_path):
    with pytest.raises(DataError, match=r"neither \"images\" with \"annotations\""):
        read(write(tmp_path / "a.json", '{"rows": []}'))


def test_broken_json(tmp_path):
    with pytest.raises(DataError, match=r"a\.json is not the JSON it should be"):
        read(write(tmp_path / "a.json", '{"images": [{"id": 1, '))


def test_vqa_answers_without_questions(tmp_path):
    text = json.dumps({"annotations": [{"question_id": 1, "image_id": 2}]})
    with pytest.raises(DataError, match="read its questions"):
        read(write(tmp_path / "answers.json", text))


def test_suffix_in_capitals(tmp_path):
    pictures(tmp_path, "a.jpg")
    assert ids(read_good(write(tmp_path / "A.CSV", "image\na.jpg\n"))) == ["a.jpg"]


def test_exported_folder_is_read_by_its_rows(tmp_path):
    pictures(tmp_path, "pictures/a.jpg", "pictures/b.jpg")
    write(tmp_path / "rows.jsonl", '{"id": "x", "picture": "pictures/a.jpg", "label": "l"}\n')
    (example,) = read_good(tmp_path)
    assert (example.id, example.label) == ("x", "l")
    assert example.picture == tmp_path.resolve() / "pictures/a.jpg"


def test_root_must_be_there(tmp_path):
    table = write(tmp_path / "a.csv", "image\na.jpg\n")
    with pytest.raises(DataError, match="no folder .*elsewhere"):
        read(table, root=tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.csv", {"captions": "b.csv"}),
        ("a.csv", {"folder_labels": True}),
        ("a.csv", {"split": "train"}),
        (".", {"picture_pattern": "{image_id}.jpg"}),
        (".", {"columns": ColumnNames(image="x")}),
    ],
)
def test_options_that_do_not_belong(tmp_path, name, options):
    write(tmp_path / "a.csv", "image\na.jpg\n")
    with pytest.raises(DataError, match=f"option {next(iter(options))} does not belong"):
        read(tmp_path / name, **options)


def test_can_be_iterated_twice(tmp_path):
    pictures(tmp_path, "a.jpg")
    source = read(write(tmp_path / "a.csv", "image\na.jpg\nb.jpg\n"))
    assert list(source) == list(source)
    assert source.total == 2


def test_importing_reads_no_heavy_library():
    code = (
        "import sys, ravl.data; "
        "print([m for m in ('pyarrow', 'ijson', 'datasets', 'torch', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_folder_is_opened_by_its_reader_alone(tmp_path):
    pictures(tmp_path, "a.jpg")
    code = (
        f"import sys; from ravl.data import read; read({str(tmp_path)!r}); "
        "print(sorted(m for m in sys.modules if m.startswith('ravl.data.readers.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for other in ("hf", "parquet", "table", "delimited", "coco", "vqa", "rows"):
        assert f"ravl.data.readers.{other}'" not in done.stdout
    assert "ravl.data.readers.folder'" in done.stdout
