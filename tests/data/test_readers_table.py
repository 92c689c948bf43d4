"""Tables of every kind: columns, rows of one picture, pictures within the table, broken rows."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ravl.data import QA, ColumnNames, read
from ravl.errors import DataError
from tests.data.reading import ids, picture_bytes, pictures, read_all, read_good, write


@pytest.fixture
def folder(tmp_path):
    return pictures(tmp_path, "a.jpg", "b.jpg", "c.jpg")


def lines(folder, *records, name="t.jsonl"):
    return write(folder / name, "".join(json.dumps(record) + "\n" for record in records))


# --- columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "image",
        "picture",
        "file",
        "file_name",
        "filename",
        "path",
        "filepath",
        "Image_Path",
        "file name",
        "Image-Path",
        "ＩＭＡＧＥ",
    ],
)
def test_usual_names_of_the_picture(folder, name):
    assert ids(read_good(write(folder / "t.csv", f"{name}\na.jpg\n"))) == ["a.jpg"]


def test_every_field_of_a_csv(folder):
    header = "id,image,class,keywords,caption,Description,question,answer,price,sold,code,note"
    row = '7,a.jpg,shirt,"red; checked",one,two,what?,a shirt,12.5,TRUE,007,'
    (example,) = read_good(write(folder / "t.csv", f"{header}\n{row}\n"))
    assert example.id == "7"
    assert example.picture == folder.resolve() / "a.jpg"
    assert example.label == "shirt"
    assert example.tags == ("red", "checked")
    assert example.texts == ("one", "two")
    assert example.qa == (QA("what?", ("a shirt",)),)
    assert example.columns == {"price": 12.5, "sold": True, "code": "007"}
    assert example.source == "t.csv, line 2"


def test_columns_as_named(folder):
    names = ColumnNames("img", "sku", "kind", "words", ("title", "body"), "q", "a")
    header, row = "img,sku,kind,words,title,body,q,a,label", "a.jpg,s,k,w,t,b,q?,yes,mine"
    (example,) = read_good(write(folder / "t.csv", f"{header}\n{row}\n"), columns=names)
    assert (example.id, example.label, example.tags) == ("s", "k", ("w",))
    assert (example.texts, example.qa) == (("t", "b"), (QA("q?", ("yes",)),))
    assert example.columns == {"label": "mine"}


def test_no_such_column_by_an_empty_name(folder):
    table = write(folder / "t.csv", "image,class\na.jpg,3\n")
    (example,) = read_good(table, columns=ColumnNames(label=""))
    assert (example.label, example.columns) == (None, {"class": 3})


def test_the_first_usual_name_wins(folder):
    (example,) = read_good(write(folder / "t.csv", "path,image\nelsewhere,a.jpg\n"))
    assert (example.id, example.columns) == ("a.jpg", {"path": "elsewhere"})


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "t.json"])
def test_missing_columns_are_told_with_those_found(folder, name):
    table = pa.table({"img": ["a.jpg"], "label": ["x"]})
    if name == "t.parquet":
        pq.write_table(table, folder / name)
    else:
        records = {"t.csv": "img,label\na.jpg,x\n", "t.jsonl": '{"img": "a.jpg", "label": "x"}\n'}
        write(folder / name, records.get(name, '[{"img": "a.jpg", "label": "x"}]'))
    with pytest.raises(DataError, match=r"has the columns img, label.*--image-column NAME"):
        read(folder / name)
    with pytest.raises(DataError, match=r"img, label, but no column 'Img'"):
        read(folder / name, columns=ColumnNames(image="Img"))


# --- rows ----------------------------------------------------------------------------------------


def test_rows_of_one_picture_are_one_example(folder):
    table = "image,caption,label\na.jpg,one,x\nb.jpg,two,y\n./a.jpg,three,x\na.jpg,one,\n"
    first, second = read_good(write(folder / "t.csv", table))
    assert (first.id, first.texts, first.label) == ("a.jpg", ("one", "three"), "x")
    assert (second.id, second.texts, second.label) == ("b.jpg", ("two",), "y")


def test_questions_of_one_picture_are_one_example(folder):
    records = [
        {"image": "a.jpg", "question": "how many?", "answer": "2", "answers": ["3", "2"]},
        {"image": "a.jpg", "question": "what?", "answer": "dogs"},
        {"image": "a.jpg", "question": "how many?", "answer": "4"},
    ]
    (example,) = read_good(lines(folder, *records))
    assert example.qa == (QA("how many?", ("2", "3", "4")), QA("what?", ("dogs",)))


def test_contradictions_are_told_and_the_first_kept(folder):
    table = "image,label\na.jpg,x\nb.jpg,x\na.jpg,y\n"
    examples, (rejected,) = read_all(write(folder / "t.csv", table))
    assert [e.label for e in examples] == ["x", "x"]
    assert rejected.place == "t.csv, line 4"
    assert rejected.reason == (
        "the id 'a.jpg' has label 'x' in line 2 and 'y' in line 4; the first is kept"
    )


def test_one_id_for_two_pictures(folder):
    table = "id,image\n1,a.jpg\n1,b.jpg\n"
    (example,), (rejected,) = read_all(write(folder / "t.csv", table))
    assert example.picture == folder.resolve() / "a.jpg"
    assert "the id '1' stands for two pictures, 'a.jpg' in line 2 and 'b.jpg'" in rejected.reason


def test_text_only_rows(folder):
    table = "id,image,caption\nx,,one\n,,two\n,,\n"
    examples, (rejected,) = read_all(write(folder / "t.csv", table))
    assert [(e.id, e.picture, e.texts) for e in examples] == [
        ("x", None, ("one",)),
        ("t.csv:3", None, ("two",)),
    ]
    assert read(folder / "t.csv").name.endswith("t.csv")
    assert "neither a picture nor a text" in rejected.reason or rejected.place == "t.csv, line 4"


def test_pictures_that_cannot_be_had(folder):
    outside = pictures(folder.parent / "outside", "o.jpg")
    table = "image\na.jpg\nno.jpg\n../outside/o.jpg\nhttp://x.org/a.jpg\n"
    examples, rejected = read_all(write(folder / "t.csv", table.replace("..", str(outside.parent))))
    assert ids(examples) == ["a.jpg"]
    assert [r.place for r in rejected] == ["t.csv, line 3", "t.csv, line 4", "t.csv, line 5"]
    for found, expected in zip(
        rejected, ["is not in", "leads outside", "web address"], strict=True
    ):
        assert expected in found.reason
    assert all("--root" in r.reason for r in rejected[:2])


def test_root_as_told(tmp_path):
    pictures(tmp_path / "photos", "a.jpg")
    table = write(tmp_path / "tables/t.csv", "image\na.jpg\n")
    (example,) = read_good(table, root=tmp_path / "photos")
    assert (example.id, example.picture) == ("a.jpg", tmp_path.resolve() / "photos/a.jpg")


def test_total_is_known_from_the_first_example_on(folder):
    source = read(write(folder / "t.csv", "image,caption\na.jpg,x\na.jpg,y\nb.jpg,z\n"))
    assert source.total is None
    next(iter(source))
    assert source.total == 2


# --- JSON lines ----------------------------------------------------------------------------------


def test_broken_lines_are_set_aside(folder):
    text = (
        b'{"image": "a.jpg", "caption": "x"}\n'
        b'{"image": "b.jpg", \n'
        b"[1, 2]\n"
        b"\n"
        b'{"image": "b.jpg", "caption": "\xff"}\n'
        b'{"caption": "half \\ud83d"}\n' + b"[" * 100_000 + b"\n"
        b'{"label": "x"}\n'
        b'{"image": "c.jpg", "label": ["x", "y"]}\n'
        b'{"image": "b.jpg"}\n'
    )
    examples, rejected = read_all(write(folder / "t.jsonl", text))
    assert ids(examples) == ["a.jpg", "b.jpg"]
    reasons = {r.place.removeprefix("t.jsonl, line "): r.reason for r in rejected}
    assert list(reasons) == ["2", "3", "5", "6", "7", "8", "9"]
    assert "not valid JSON at character" in reasons["2"]
    assert "list in JSON; it must be an object" in reasons["3"]
    assert "byte 0xFF" in reasons["5"]
    assert "lone surrogate" in reasons["6"]
    assert "not valid JSON" in reasons["7"]
    assert "neither a picture nor a text" in reasons["8"]
    assert "'label' has 2 values" in reasons["9"]


def test_values_keep_their_types(folder):
    record = {"image": "a.jpg", "n": 3, "code": "007", "x": [1, {"a": "ä"}], "no": None, "b": False}
    (example,) = read_good(lines(folder, record))
    assert example.columns == {"n": 3, "code": "007", "x": '[1, {"a": "ä"}]', "b": False}


EXPORTED = {
    "id": "shop/1",
    "picture": "a.jpg",
    "texts": ["one", "two"],
    "label": "shirt",
    "tags": ["red", "a, b"],
    "qa": [{"question": "what?", "answers": ["a", "b", "a"]}, {"question": "who?", "answers": []}],
    "columns": {"price": 12.5, "code": "007", "text": "mine", "sold": True},
}


def test_our_own_export_comes_back(folder):
    bare = {**EXPORTED, "id": "2", "picture": None, "label": None, "columns": {}}
    first, second = read_good(lines(folder, EXPORTED, bare))
    assert (first.id, first.label) == ("shop/1", "shirt")
    assert (first.texts, first.tags) == (("one", "two"), ("red", "a, b"))
    assert first.qa == (QA("what?", ("a", "b", "a")), QA("who?", ()))
    assert first.columns == EXPORTED["columns"]
    assert (second.id, second.picture, second.label, second.columns) == ("2", None, None, {})


def test_our_own_parquet_export_comes_back(folder):
    content = picture_bytes(1)
    record = {k: v for k, v in EXPORTED.items() if k != "picture"}
    record["columns"] = json.dumps(EXPORTED["columns"])
    record["image"] = {"bytes": content, "path": "a.jpg"}
    pq.write_table(pa.Table.from_pylist([record]), folder / "rows.parquet")
    (example,) = read_good(folder)
    assert (example.id, example.picture) == ("shop/1", content)
    assert example.qa == (QA("what?", ("a", "b", "a")), QA("who?", ()))
    assert example.columns == EXPORTED["columns"]


def test_json_list_of_objects(folder):
    text = json.dumps([{"image": "a.jpg", "caption": "x"}, 3, {"image": "a.jpg", "caption": "y"}])
    (example,), (rejected,) = read_all(write(folder / "t.json", text))
    assert (example.id, example.texts, example.source) == ("a.jpg", ("x", "y"), "t.json, item 1")
    assert rejected.place == "t.json, item 2"


# --- Parquet -------------------------------------------------------------------------------------


def test_parquet(folder):
    columns = {"image": ["a.jpg", "b.jpg"], "captions": [["x", "y"], []], "n": [1, None]}
    pq.write_table(pa.table(columns), folder / "t.parquet")
    first, second = read_good(folder / "t.parquet")
    assert (first.texts, first.columns, first.source) == (("x", "y"), {"n": 1}, "t.parquet, row 1")
    assert (second.texts, second.columns) == ((), {})


def test_pictures_within_a_parquet(folder):
    contents = [picture_bytes(n) for n in range(100)]
    records = [{"image": {"bytes": c, "path": "x/1.jpg"}, "caption": "one"} for c in contents]
    records.append({"image": {"bytes": contents[0], "path": "x/1.jpg"}, "caption": "two"})
    pq.write_table(pa.Table.from_pylist(records), folder / "t.parquet", row_group_size=7)
    examples = read_good(folder / "t.parquet")
    assert [e.picture for e in examples] == contents  # though all have the same name
    assert len(set(ids(examples))) == 100
    assert examples[0].id.startswith("1.jpg@")
    assert [e.texts for e in examples[:2]] == [("one", "two"), ("one",)]


def test_pictures_within_a_parquet_out_of_order(folder):
    one, two, three = (picture_bytes(n) for n in range(3))
    table = {"id": ["a", "b", "a", "c"], "picture": [None, two, one, three], "text": ["x"] * 4}
    pq.write_table(pa.table(table), folder / "t.parquet")
    assert [e.picture for e in read_good(folder / "t.parquet")] == [one, two, three]


def test_two_pictures_within_a_parquet_under_one_id(folder):
    table = {"id": ["a", "a"], "image": [picture_bytes(1), picture_bytes(2)]}
    pq.write_table(pa.table(table), folder / "t.parquet")
    (example,), (rejected,) = read_all(folder / "t.parquet")
    assert example.picture == picture_bytes(1)
    assert "stands for two pictures" in rejected.reason


def test_classes_that_hugging_face_wrote_into_a_parquet(folder):
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "image": {}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"image": ["a.jpg", "b.jpg", "c.jpg"], "label": [1, 0, -1]})
    pq.write_table(table.replace_schema_metadata(metadata), folder / "t.parquet")
    assert [e.label for e in read_good(folder / "t.parquet")] == ["dog", "cat", None]


def test_dates_that_python_cannot_read(folder):
    days = pa.array([2**31 - 1, 19000, None], pa.date32())
    times = pa.array([2**60, 0, 0], pa.timestamp("us"))
    columns = {"image": ["a.jpg", "b.jpg", "c.jpg"], "until": days, "at": times}
    pq.write_table(pa.table(columns), folder / "t.parquet")
    first, second, third = read_good(folder / "t.parquet")
    assert "out of range: 2147483647" in str(first.columns["until"])
    assert "out of range" in str(first.columns["at"])
    assert second.columns == {"until": "2022-01-08", "at": "1970-01-01T00:00:00"}
    assert third.columns == {"at": "1970-01-01T00:00:00"}


def test_a_list_of_dates_that_python_cannot_read_is_told(folder):
    days = pa.array([[2**31 - 1]], pa.list_(pa.date32()))
    pq.write_table(pa.table({"image": ["a.jpg"], "days": days}), folder / "t.parquet")
    with pytest.raises(DataError, match="a value in the column 'days' that Python cannot read"):
        read_all(folder / "t.parquet")


def test_columns_of_the_same_name_in_a_parquet(folder):
    arrays = [pa.array(["a.jpg"]), pa.array(["one"]), pa.array(["two"])]
    table = pa.table(arrays, names=["image", "caption", "caption"])
    pq.write_table(table, folder / "t.parquet")
    with pytest.raises(DataError, match="more than one column called 'caption'"):
        read(folder / "t.parquet")


def test_a_key_that_is_there_twice_in_a_line(folder):
    text = '{"image": "a.jpg", "caption": "one", "caption": "two"}\n{"image": "b.jpg"}\n'
    (example,), (rejected,) = read_all(write(folder / "t.jsonl", text))
    assert example.id == "b.jpg"
    assert "the key 'caption' is there more than once" in rejected.reason


def test_broken_parquet(folder):
    with pytest.raises(DataError, match="not a valid Parquet file"):
        read(write(folder / "t.parquet", b"PAR1 but no more"))
