from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravl.data import QA, Example
from ravl.errors import FilterError
from ravl.memory import Memory


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
        ("label = shirt", "'shirt'"),
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


def test_names_the_columns_there_are(shop):
    with pytest.raises(FilterError, match="brand, .*price.*unit price"):
        shop.count("nothing = 1")


@settings(max_examples=200, deadline=None)
@given(value=st.text(max_size=30))
def test_no_value_breaks_out_of_its_quotes(value):
    from ravl.store.sqlite.filters import compile_filter

    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    sql, values = compile_filter(f'label = "{escaped}"', frozenset())
    assert sql == "COALESCE((typeof(rows.label) = 'text' AND rows.label = ?), 0)"
    assert values == [value]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab=<>!()'\"\\`., 1-notridhasc", max_size=40))
def test_any_text_compiles_or_is_refused(text):
    from ravl.store.sqlite.filters import compile_filter

    try:
        compile_filter(text, frozenset({"a", "b"}))
    except FilterError:
        pass
