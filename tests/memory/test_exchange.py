from __future__ import annotations

import json

import pytest

from ravl.data import QA, Example
from ravl.errors import DataError, EncoderMismatchError
from ravl.memory import Memory
from tests.helpers import ColourEncoder, draw, make_examples


def contents(memory: Memory) -> list[tuple[object, ...]]:
    return [
        (r.id, r.texts, r.label, r.tags, r.qa, dict(r.columns), r.hash, r.width)
        for r in sorted(memory, key=lambda r: r.id)
    ]


@pytest.fixture
def rich(memory: Memory) -> Memory:
    memory.update(
        "red_000.png", texts=["café 一张图片", "line\nbreak"], columns={"ok": True, "n": 2.5}
    )
    memory.update("blue_002.png", qa=[QA("what?", ("x", "y")), QA("why?", ("z",))])
    memory.add([Example("only text", texts=("knowledge",))])
    return memory


@pytest.fixture
def odd(empty: Memory) -> Memory:
    """Rows whose texts look like something else."""
    empty.add(
        [
            Example("a", texts=('["x"]', "  indented", "x\u2028y", "x"), label='["L"]'),
            Example(" b; c ", texts=("x", "x"), tags=("large, grey; new", '["t"]', "[1]")),
            Example("../c", texts=("x",), qa=(QA('["q"]', ('["a"]', " b", "", " b")), QA("q", ()))),
            Example("only a label", label="7.0", source="somebody"),
            Example("only columns", columns={"source": "web", "qa": "[]", "id": 3, "a b": "1e5"}),
            Example("nothing"),
        ]
    )
    empty.add([Example("quotes", texts=("x",), columns={'size 15"': "01", "texts": "t", "": 7.5})])
    return empty


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_odd_rows_come_back_as_they_were(odd, tmp_path, format):
    report = odd.export(tmp_path / "out", format)
    for source in (tmp_path / "out", report.file):
        with Memory.create(tmp_path / f"{source.name}.ravl", ColourEncoder()) as again:
            assert again.index(source).rejected == 0
            assert contents(again) == contents(odd)
            assert again.get("only a label").source == "somebody"


def test_an_export_of_nothing_comes_back(empty, tmp_path):
    for format in ("jsonl", "parquet"):
        report = empty.export(tmp_path / format, format)
        assert empty.index(report.file).added == 0


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_an_export_can_be_indexed_again(rich, tmp_path, format):
    report = rich.export(tmp_path / "out", format)
    assert (report.rows, report.missing) == (17, [])
    source = report.file if format == "parquet" else tmp_path / "out"
    with Memory.create(tmp_path / "again.ravl", ColourEncoder()) as again:
        assert again.index(source).added == 17
        assert contents(again) == contents(rich)
        assert again.picture("red_000.png").size == (64, 48)


def test_export_of_some_rows(rich, tmp_path):
    report = rich.export(tmp_path / "out", where='label = "red"')
    assert report.rows == 2
    lines = report.file.read_text("utf-8").splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["red", "red"]
    assert len(list((tmp_path / "out" / "pictures").iterdir())) == 2


def test_export_says_which_pictures_are_missing(rich, tmp_path):
    (tmp_path / "pictures" / "red_000.png").unlink()
    report = rich.export(tmp_path / "out")
    assert report.rows == 17
    assert [r.place.endswith("red_000.png") for r in report.missing] == [True]


def test_export_never_overwrites(rich, tmp_path):
    with pytest.raises(DataError, match="not an empty folder"):
        rich.export(tmp_path / "pictures")


def test_export_stays_in_its_folder(empty, tmp_path):
    draw(1, "red").save(tmp_path / "one.png")
    empty.add(
        [Example("../../../evil", tmp_path / "one.png"), Example("/abs/x", tmp_path / "one.png")]
    )
    empty.export(tmp_path / "deep" / "er" / "out")
    files = {p.relative_to(tmp_path / "deep").parts[:2] for p in (tmp_path / "deep").rglob("*.*")}
    assert files == {("er", "out")}


def test_merge_copies_vectors(memory, tmp_path):
    with Memory.create(tmp_path / "other.ravl", ColourEncoder()) as other:
        examples = make_examples(tmp_path / "more", 24)[16:]
        other.add(examples[:4])
        other.add(examples[4:], copy=True)
        expected = contents(other)
        memory.encoder.looked = memory.encoder.read = 0
        report = memory.merge(other)
        assert (report.added, report.updated, report.rejected) == (8, 0, 0)
        assert memory.encoder.looked == memory.encoder.read == 0
        assert contents(memory)[-0:] and all(row in contents(memory) for row in expected)
    assert memory.info().without_vector == 0
    assert memory.info().copied == 4
    assert len(memory.search("a red picture", k=99, mode="dense")) == 24
    assert memory.picture(examples[7].id).size == (64, 48)


def test_merge_unites_what_both_know(memory, tmp_path):
    with Memory.create(tmp_path / "other.ravl", ColourEncoder()) as other:
        examples = make_examples(tmp_path / "pictures", 4)
        other.add(examples)
        other.update(
            "red_000.png", texts=["new text", "number 0"], label="crimson", columns={"x": 1}
        )
        draw(77, "black").save(tmp_path / "black.png")
        other.delete(["green_001.png"])
        other.add([Example("green_001.png", tmp_path / "black.png")])
        report = memory.merge(other)
    assert (report.added, report.updated, report.unchanged, report.rejected) == (0, 1, 2, 1)
    assert "another picture" in report.reasons[0].reason
    row = memory.get("red_000.png")
    assert row.texts == ("a red picture", "number 0", "new text")
    assert (row.label, row.columns["x"]) == ("red", 1)
    assert memory.search("new text", target="texts", k=1, mode="dense")[0].text == "new text"


def test_merge_refuses_another_encoder(memory, tmp_path):
    with Memory.create(tmp_path / "other.ravl", ColourEncoder(turn=3)) as other:
        other.add(make_examples(tmp_path / "more", 2))
        with pytest.raises(EncoderMismatchError, match="ravl reembed"):
            memory.merge(other)
    assert len(memory) == 16
