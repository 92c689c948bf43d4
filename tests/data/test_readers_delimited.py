"""CSV and TSV: every broken line is set aside alone, and named."""

import codecs
import csv

import pytest

from ravl.data import read
from ravl.errors import DataError
from tests.data.reading import ids, pictures, read_all, read_good, write


@pytest.fixture
def folder(tmp_path):
    return pictures(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")


def table(folder, text, name="t.csv"):
    return write(folder / name, text)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_of_the_first_line(folder, delimiter):
    lines = ["image,caption,label", "a.jpg,a dog;big,x", ""]
    text = "\n".join(lines).replace(";", "¦").replace(",", delimiter).replace("¦", "-")
    (example,) = read_good(table(folder, text))
    assert (example.texts, example.label) == (("a dog-big",), "x")


def test_tsv_is_separated_by_tabs_only(folder):
    (example,) = read_good(table(folder, "image\tcaption\na.jpg\tone, two, three\n", "t.tsv"))
    assert example.texts == ("one, two, three",)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(folder, end):
    text = end.join(["image,caption", 'a.jpg,"two', 'lines"', "", "b.jpg,x", ""])
    first, second = read_good(table(folder, text))
    assert first.texts == (
        f"two{end}lines".replace("\r", "\n") if end == "\r" else f"two{end}lines",
    )
    assert second.texts == ("x",)


def test_places_are_line_numbers(folder):
    text = 'image,caption\na.jpg,"two\nlines"\n\nb.jpg,x\nno.jpg,y\n'
    (first, second), (rejected,) = read_all(table(folder, text))
    assert (first.source, second.source) == ("t.csv, line 2", "t.csv, line 5")
    assert rejected.place == "t.csv, line 6"


@pytest.mark.parametrize("bad", ["b.jpg", "b.jpg,x,y"])
def test_wrong_number_of_fields(folder, bad):
    examples, (rejected,) = read_all(table(folder, f"image,caption\na.jpg,x\n{bad}\nc.jpg,z\n"))
    assert ids(examples) == ["a.jpg", "c.jpg"]
    assert rejected.place == "t.csv, line 3"
    assert f"{bad.count(',') + 1} fields, but the first line names 2" in rejected.reason


def test_quote_that_is_never_closed_costs_one_line(folder):
    text = 'image,caption\na.jpg,x\nb.jpg,"oh\nc.jpg,y\nd.jpg,z\n'
    examples, (rejected,) = read_all(table(folder, text))
    assert ids(examples) == ["a.jpg", "c.jpg", "d.jpg"]
    assert rejected.place == "t.csv, line 3"
    assert "never closed" in rejected.reason


def test_quote_that_swallows_the_next_quoted_text_costs_one_line(folder):
    text = 'image,caption\nb.jpg,"oh\nc.jpg,y\nd.jpg,"z"\n'
    examples, (rejected,) = read_all(table(folder, text))
    assert ids(examples) == ["c.jpg", "d.jpg"]
    assert rejected.place == "t.csv, line 2"


def test_quotes_within_a_quoted_text(folder):
    examples, (rejected,) = read_all(
        table(folder, 'image,caption\na.jpg,"a "big" dog"\nb.jpg,a "big" dog\n')
    )
    assert [e.texts for e in examples] == [('a "big" dog',)]
    assert "write it twice" in rejected.reason


def test_field_longer_than_the_limit(folder):
    long = "x" * (csv.field_size_limit() + 1)
    examples, (rejected,) = read_all(table(folder, f"image,caption\na.jpg,{long}\nb.jpg,y\n"))
    assert ids(examples) == ["b.jpg"]
    assert rejected.place == "t.csv, line 2"
    assert "longer than 131,072 characters" in rejected.reason


def test_bytes_that_are_not_utf8_cost_their_lines(folder):
    text = b"image,caption\na.jpg,caf\xe9\nb.jpg,caf\xc3\xa9\n"
    (example,), (rejected,) = read_all(table(folder, text))
    assert (example.id, example.texts) == ("b.jpg", ("café",))
    assert rejected.place == "t.csv, line 2"
    assert "byte 0xE9 at position 10 of the line is not UTF-8" in rejected.reason
    assert "--encoding" in rejected.reason


def test_bad_byte_within_a_text_of_several_lines(folder):
    text = b'image,caption\na.jpg,"one\ntw\xe9"\nb.jpg,x\n'
    examples, (rejected,) = read_all(table(folder, text))
    assert ids(examples) == ["b.jpg"]
    assert rejected.place == "t.csv, lines 2 to 3"
    assert "in line 3, byte 0xE9" in rejected.reason


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le", "big5", "utf-8-sig"])
def test_encoding_as_told(folder, encoding):
    text = "image,caption\na.jpg,木桌上的紅襯衫\n".encode(encoding)
    (example,) = read_good(table(folder, text), encoding=encoding)
    assert example.texts == ("木桌上的紅襯衫",)


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_byte_order_marks_are_understood(folder, mark):
    names = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le"}
    text = "image,caption\na.jpg,café\n".encode(names.get(mark, "utf-16-be"))
    (example,) = read_good(table(folder, mark + text))
    assert (example.id, example.texts) == ("a.jpg", ("café",))


@pytest.mark.parametrize("encoding", ["utf-9", "rot13", "base64"])
def test_unknown_encoding(folder, encoding):
    with pytest.raises(DataError, match=f"no encoding called '{encoding}'"):
        read(table(folder, "image\na.jpg\n"), encoding=encoding)


def test_first_line_that_is_not_utf8(folder):
    with pytest.raises(DataError, match="line 1: byte 0xFC"):
        read(table(folder, b"image,\xfcbersicht\na.jpg,x\n"))


@pytest.mark.parametrize("text", ["", "\n", "\ufeff"])
def test_empty_file(folder, text):
    with pytest.raises(DataError, match="is empty; its first line must name the columns"):
        read(table(folder, text))


@pytest.mark.parametrize("start", ["sep=;\n", '"sep=;"\r\n', "\n\n", ";;\n", "\ufeffsep=;\n\n"])
def test_what_comes_before_the_header(folder, start):
    text = f"{start}image;caption\na.jpg;a dog, big, old\n"
    (example,) = read_good(table(folder, text))
    assert example.texts == ("a dog, big, old",)
    assert example.source == f"t.csv, line {start.count(chr(10)) + 2}"


def test_a_separator_that_the_first_line_names(folder):
    (example,) = read_good(table(folder, "sep=:\nimage:caption\na.jpg:one, two; three\n"))
    assert example.texts == ("one, two; three",)


def test_no_rows(folder):
    assert read_good(table(folder, "image,caption\n")) == []


def test_columns_of_the_same_name(folder):
    with pytest.raises(DataError, match="more than one column called 'caption'"):
        read(table(folder, "image,caption,caption\na.jpg,x,y\n"))


def test_column_without_a_name(folder):
    (example,) = read_good(table(folder, ",image\n0,a.jpg\n"))
    assert example.columns == {"column_1": 0}
