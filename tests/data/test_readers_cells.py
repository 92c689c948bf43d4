"""The types of the columns of a CSV file: one rule for each column, and no text is changed."""

import pytest

from ravl.data import Scalar
from ravl.data.readers.cells import Column, infer
from tests.data.reading import pictures, read_all, read_good, write


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("3.5", 3.5),
        ("-0.25", -0.25),
        ("1e-05", 1e-05),
        ("", None),
        ("  ", None),
        ("true", True),
        ("False", False),
        (" 7 ", 7),
        ("7.0", 7),
        ("007", "007"),
        ("1e5", "1e5"),
        ("1e5x", "1e5x"),
        ("1e+999", "1e+999"),
        ("+49", "+49"),
        ("1,5", 1.5),
        ("1,500", "1,500"),  # one thousand five hundred, or one and a half
        ("1.234,50", 1234.5),
        ("1_000", "1_000"),
        ("٣", "٣"),
        ("nan", "nan"),
        ("Infinity", "Infinity"),
        ("-", "-"),
        ("9223372036854775807", 9223372036854775807),
        ("-9223372036854775807", -9223372036854775807),
        ("9223372036854775808", "9223372036854775808"),  # one more than SQLite can hold
        ("2024-01-02", "2024-01-02"),
    ],
)
def test_one_cell_alone(cell, meant):
    found = infer(cell)
    assert (found, type(found)) == (meant, type(meant))


def column(*cells: str, comma: bool = False) -> list[Scalar]:
    read = Column(comma=comma)
    for cell in cells:
        read.add(cell)
    return [read.value(cell) for cell in cells]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1e5", "12E4", "A77"], ["1e5", "12E4", "A77"]),
        (["1e5", "12E4"], ["1e5", "12E4"]),
        (["1e-05", "1E+20", "2.5e3"], [1e-05, 1e20, 2500.0]),
        (["01234", "12345"], ["01234", "12345"]),
        (["1.10", "1.1", "2.0"], ["1.10", "1.1", "2.0"]),
        (["1.10", "1.9"], ["1.10", "1.9"]),
        (["34.90", "50.00", "7"], [34.9, 50.0, 7]),
        (["34.9", "50.0", "1.25"], [34.9, 50, 1.25]),
        (["3", "x", "4.50"], ["3", "x", "4.50"]),
        (["3", "", "NA", "4"], [3, None, None, 4]),
        (["1.0", "", "2.0"], [1, None, 2]),
        (["NA", "Namibia"], ["NA", "Namibia"]),
        (["NA", ""], ["NA", None]),
        (["true", "", "FALSE"], [True, None, False]),
        (["true", "1"], ["true", "1"]),
        (["34,90", "50,00", "7"], [34.9, 50.0, 7]),
        (["1.234,50", "1.000", "-0,5"], [1234.5, 1000, -0.5]),
        (["34,90", "50.00"], ["34,90", "50.00"]),
        (["1,10", "1,9"], [1.1, 1.9]),
        (["1,234", "22,500"], ["1,234", "22,500"]),
        (["1", "18446744073709551616"], ["1", "18446744073709551616"]),
    ],
)
def test_a_column_has_one_type(cells, values):
    found = column(*cells)
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


def test_three_decimals_after_a_comma_are_clear_in_a_file_with_semicolons(tmp_path):
    pictures(tmp_path, "a.jpg")
    (row,) = read_good(write(tmp_path / "t.csv", "image;weight\na.jpg;1,250\n"))
    assert row.columns == {"weight": 1.25}
    (row,) = read_good(write(tmp_path / "t.csv", 'image,weight\na.jpg,"1,250"\n'))
    assert row.columns == {"weight": "1,250"}


def test_whole_numbers_that_pandas_wrote_as_floats(tmp_path):
    pictures(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    text = "image,label,id,n\na.jpg,7.0,1.0,3.0\nb.jpg,8.0,2.0,\nc.jpg,,,5.0\n"
    first, second, third = read_good(write(tmp_path / "t.csv", text))
    assert (first.label, first.id, first.columns) == ("7", "1", {"n": 3})
    assert (second.label, second.id, third.label, third.id) == ("8", "2", None, "c.jpg")


def test_labels_without_a_missing_one_are_as_they_are_written(tmp_path):
    pictures(tmp_path, "a.jpg", "b.jpg")
    text = "image,label\na.jpg,7.0\nb.jpg,8.0\n"
    assert [e.label for e in read_good(write(tmp_path / "t.csv", text))] == ["7.0", "8.0"]


def test_the_separator_of_tags_is_that_of_the_column(tmp_path):
    pictures(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    text = 'image,tags\na.jpg,red; new\nb.jpg,"large, grey"\nc.jpg,"[""x, y""]"\n'
    found = read_good(write(tmp_path / "t.csv", text))
    assert [e.tags for e in found] == [("red", "new"), ("large, grey",), ("x, y",)]
    text = 'image,tags\na.jpg,red\nb.jpg,"large, grey"\n'
    found = read_good(write(tmp_path / "t.csv", text))
    assert [e.tags for e in found] == [("red",), ("large", "grey")]


def test_a_line_set_aside_does_not_count_for_the_types(tmp_path):
    pictures(tmp_path, "a.jpg", "b.jpg")
    table = write(tmp_path / "t.csv", "image,n\na.jpg,3\nb.jpg,x,y\n")
    (example,), (rejected,) = read_all(table)
    assert rejected.place == "t.csv, line 3"
    assert example.columns == {"n": 3}
