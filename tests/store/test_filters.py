from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ravl.data import QA, Example, Scalar
from ravl.errors import FilterError
from ravl.memory import Memory
from ravl.store.sqlite.filters import compile_filter


@pytest.fixture
def shop(empty: Memory) -> Memory:
    empty.add(
        [
            Example(
                "a",
                texts=("A red Dog", "running"),
                label="shirt",
                tags=("red", "new"),
                columns={"price": 30, "brand": "Acme", "sold": True, "unit price": 3.5},
            ),
            Example("b", texts=("a cat",), label="dress", tags=("blue",), columns={"price": 50.5}),
            Example("c", texts=("猫在睡觉",), columns={"price": "cheap", "brand": 'it\'s "x"'}),
            Example("d", texts=("x",), qa=(QA("What colour?", ("red", "crimson")),), label=""),
        ]
    )
    return empty


def ids(memory: Memory, where: str) -> str:
    return "".join(row.id for row in memory.rows(where))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("price < 40", "a"),
        ("price >= 30", "ab"),
        ("price > 0", "ab"),  # the text "cheap" is not a number above 0
        ("price = 50.5", "b"),
        ("price != 30", "bcd"),
        ("not price < 40", "bcd"),  # also those without a price
        ('label = "shirt"', "a"),
        ("label == 'shirt' or label = \"dress\"", "ab"),
        ('label in ("shirt", "dress")', "ab"),
        ('tags has "red"', "a"),
        ('tags = "blue"', "b"),
        ('tags != "blue"', "acd"),
        ('not tags has "red" and price > 1', "b"),
        ('texts contains "DOG"', "a"),
        ('texts starts with "a "', "ab"),
        ('texts contains "睡觉"', "c"),
        ('answers has "crimson"', "d"),
        ('questions contains "colour"', "d"),
        ("tags is missing", "cd"),
        ("tags is not missing", "ab"),
        ("brand is missing", "bd"),
        ('brand = "Acme" AND (price < 10 OR price > 20)', "a"),
        ('brand = "it\'s \\"x\\""', "c"),
        ("sold = true", "a"),
        ("`unit price` < 4", "a"),
        ("columns.price = 30", "a"),
        ('id = "b"', "b"),
        ('price < 40 or id = "c" and price = "cheap"', "ac"),
        ("price < -1e3", ""),
    ],
)
def test_lets_through_what_it_says(shop, where, expected):
    assert ids(shop, where) == expected
    assert shop.count(where) == len(expected)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("prize < 40", "no column 'prize'"),
        ("price <", "the end"),
        ("price ~ 3", "'~ 3'"),
        ("", "the end"),
        ("label = shirt", "'shirt'. Put a text in quotes: \"shirt\"."),
        ("tags has red", "Put a text in quotes"),
        ("label in (shirt)", "Put a text in quotes"),
        ("label = “shirt”", "Use straight quotes"),
        ("price < 34,90", "Write a number with a point"),
        ("unit price < 40", "Put a name with blanks in backticks"),
        ("pricee < 40", "Did you mean 'price'?"),
        ("Price < 40", "Did you mean 'price'?"),
        ("tag has 3", "Did you mean 'tags'?"),
        ("row.price < 40", "no column 'row.price'"),
        ("1 = 1", "'1 = 1'"),
        ('tags < "a"', "is a list"),
        ("price < 40; drop table rows", "'; drop table rows'"),
        ("(" * 50 + "price < 1" + ")" * 50, "brackets"),
        ("not " * 50 + "price < 1", "brackets and nots"),
        ("price < 1 or " * 1000 + "price < 1", "characters"),
    ],
)
def test_says_what_is_wrong(shop, where, says):
    with pytest.raises(FilterError, match=".*") as caught:
        shop.count(where)
    assert says in str(caught.value)


@pytest.fixture
def odd(empty: Memory) -> Memory:
    """Rows with labels, columns and texts of kinds that filters are asked about."""
    own: dict[str, Scalar] = {
        "source": "web",
        "path": "shelf A",
        "width": 12,
        "tags": "x",
        'size 15"': 3,
        "a`b": 1,
    }
    empty.add(
        [
            Example("a", texts=("ÄPFEL und Straße",), label="7", columns=own),
            Example("b", texts=("x",), label="7.0", tags=("7",), columns={"zip": "01234"}),
            Example("c", texts=("x",), label="cat", columns={"zip": 12345, "back\\slash": "y"}),
            Example("d", texts=("x",), columns={"zip": "34.90", "line\nbreak": "z"}),
        ]
    )
    return empty


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("label = 7", "ab"),
        ("label in (7)", "ab"),
        ('label = "7"', "a"),
        ("label != 7", "cd"),
        ("not label = 7", "cd"),
        ('label in ("7", "cat")', "ac"),
        ("row.tags has 7", "b"),
        ("zip > 34", "cd"),
        ("zip < 40", "d"),
        ("zip = 34.9", "d"),
        ('zip = "12345"', "c"),
        ('zip in ("01234", "12345", 34.9)', "bcd"),
        ("zip = 1234", ""),
        ('zip != "12345"', "abd"),
        ('columns.source = "web"', "a"),
        ('row.source = "web"', ""),
        ('columns.path = "shelf A"', "a"),
        ("columns.width < 15", "a"),
        ("row.width < 15", ""),
        ('columns.tags = "x"', "a"),
        ('row.tags has "7"', "b"),
        ('`size 15"` = 3', "a"),
        ('`size 15"` is missing', "bcd"),
        ("`a``b` = 1", "a"),
        ("`back\\slash` = 'y'", "c"),
        ("`line\nbreak` = 'z'", "d"),
        ('texts contains "äpfel"', "a"),
        ('texts contains "STRASSE"', "a"),
        ('texts starts with "äP"', "a"),
    ],
)
def test_odd_names_and_values(odd, where, expected):
    assert ids(odd, where) == expected


@pytest.mark.parametrize("name", ["source", "path", "width", "tags"])
def test_a_name_that_is_ours_and_theirs_is_refused(odd, name):
    with pytest.raises(FilterError, match=rf"Write columns\.{name} for yours, row\.{name} for"):
        odd.count(f"{name} is missing")


def test_paths_are_those_that_are_shown(empty: Memory, tmp_path):
    inside, outside = empty.folder / "in.png", tmp_path / "elsewhere" / "out.png"
    outside.parent.mkdir()
    for colour, path in enumerate((inside, outside)):
        Image.new("RGB", (8, 8), (colour * 90, 7, 9)).save(path)
    empty.add([Example("in", inside), Example("out", outside), Example("no", texts=("x",))])
    for row in empty.rows("path is not missing"):
        assert row.path is not None
        assert [r.id for r in empty.rows(f'path = "{row.path}"')] == [row.id]
        assert row.id in [r.id for r in empty.rows(f'path starts with "{row.path.parent}"')]
        assert row.id not in [r.id for r in empty.rows(f'path != "{row.path}"')]
    assert [r.id for r in empty.rows('path = "in.png"')] == ["in"]  # relative to the memory
    assert [r.id for r in empty.rows('path starts with "in"')] == ["in"]
    assert [r.id for r in empty.rows('path contains "ELSEWHERE/"')] == ["out"]
    assert [r.id for r in empty.rows('path != "in.png"')] == ["out", "no"]
    assert [r.id for r in empty.rows("path is missing")] == ["no"]


def test_names_the_columns_there_are(shop):
    with pytest.raises(FilterError, match="brand, .*price.*unit price"):
        shop.count("nothing = 1")


@settings(max_examples=200, deadline=None)
@given(value=st.text(max_size=30))
def test_no_value_breaks_out_of_its_quotes(value):
    from ravl.store.sqlite.filters import compile_filter

    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    sql, values = compile_filter(f'label < "{escaped}"', frozenset(), Path("/"))
    test = "(typeof(value) = 'text' AND value < ?)"
    assert sql == f"EXISTS (SELECT 1 FROM (SELECT rows.label AS value) WHERE {test})"
    assert values == [unicodedata.normalize("NFC", value)]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab=<>!()'\"\\`., 1-notridhasc", max_size=40))
def test_any_text_compiles_or_is_refused(text):
    from ravl.store.sqlite.filters import compile_filter

    try:
        compile_filter(text, frozenset({"a", "b"}), Path("/"))
    except FilterError:
        pass


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("id = 'a'", "sqlite_autoindex_rows_1"),
        ("label = 'shirt'", "rows_by_label"),
        ("label in ('shirt', 'dress') and price < 40", "rows_by_label"),
    ],
)
def test_equal_texts_are_found_by_an_index(shop, where, index):
    sql, values = compile_filter(where, shop.store.rows.column_names(), shop.folder)
    plan = shop.store.database.connection.execute(
        f"EXPLAIN QUERY PLAN SELECT row FROM rows WHERE {sql}", values
    ).fetchall()
    assert index in str(plan)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("label = 'shirt'", "a"),
        ("label != 'shirt'", "bcd"),
        ("not label = 'shirt'", "bcd"),
        ("not label != 'shirt'", "a"),
        ("label in ('dress', '')", "b"),
        ("not label in ('dress', '')", "acd"),
        ("id = 'a' or label = 'dress'", "ab"),
        ("id != 'a' and label is missing", "cd"),
    ],
)
def test_a_missing_text_is_equal_to_none(shop, where, expected):
    assert ids(shop, where) == expected
