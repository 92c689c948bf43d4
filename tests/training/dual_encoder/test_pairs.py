from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ravl.data import QA, Example
from ravl.errors import DataError, FilterError
from ravl.runs.row_texts import MOST_TEXTS
from ravl.training.dual_encoder.pairs import Pairs, pairs_of, read_pairs, split
from tests.helpers import draw, make_examples


def texts_of(pairs: Pairs, id: str) -> list[str]:
    own = pairs_of(pairs, np.array([pairs.rows.index(id)]))
    return [pairs.texts[i] for i in pairs.which[own]]


@pytest.fixture
def plain(empty, tmp_path):
    """A memory of 16 pictures, and a function that gives the first of them other texts."""

    def fill(every: bool = False, **fields: Any):
        examples = make_examples(tmp_path / "pictures")
        last = 16 if every else 1
        none: dict[str, Any] = {"texts": (), "label": None, "tags": (), **fields}
        empty.add([replace(e, **none) for e in examples[:last]] + examples[last:])
        return empty

    return fill


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({"texts": ("one", "two", "one")}, ["one", "two"]),
        ({"texts": ("one",), "label": "fox"}, ["one"]),
        ({"texts": ("one",), "tags": ("wild",)}, ["one", "a photo of wild"]),
        ({"label": "fox"}, ["a photo of fox"]),
        ({"tags": ("wild",)}, ["a photo of wild"]),
        ({"tags": ("wild", "red", "shy")}, ["a photo of wild, red and shy"]),
        ({"label": "fox", "tags": ("wild",)}, ["a photo of fox", "a photo of wild"]),
        ({"qa": (QA("What is it?", ("a fox", "a dog")),)}, ["What is it? a fox"]),
        ({"qa": (QA("What is it?", ()),)}, ["What is it?"]),
        ({"texts": ("one",), "qa": (QA("Who?", ("I",)),)}, ["one", "Who? I"]),
    ],
)
def test_texts_are_captions_or_else_the_label_and_tags_and_questions(plain, fields, texts):
    assert texts_of(read_pairs(plain(**fields)), "red_000.png") == texts


def test_pairs_belong_to_their_pictures(pairs, painted):
    assert len(pairs.rows) == 64
    assert len(pairs) == len(pairs.texts) == 128
    assert np.array_equal(pairs.owners, np.sort(pairs.owners))
    assert texts_of(pairs, "017.png") == list(painted.get("017.png").texts)
    encoder = painted.encoder
    fresh = encoder.features([encoder.prepare(painted.picture("017.png"))])
    np.testing.assert_allclose(pairs.features[17:18], fresh, atol=1e-3)


def test_a_text_of_two_pictures_is_one_text(memory):
    pairs = read_pairs(memory)
    assert len(pairs) == 16 * 3  # a caption with the colour, one with the number, and tags
    assert len(pairs.texts) == 8 + 16 + 6


def test_rows_without_a_picture_or_a_text_are_left_out(plain):
    memory = plain(texts=())
    memory.add([Example("only words", texts=("a red fox",))])
    pairs = read_pairs(memory)
    assert len(pairs.rows) == 15
    assert not {"only words", "red_000.png"} & set(pairs.rows)


def test_a_thousand_captions_are_capped(plain):
    pairs = read_pairs(plain(texts=tuple(f"caption {i}" for i in range(1000))))
    assert len(texts_of(pairs, "red_000.png")) == MOST_TEXTS


def test_no_texts_at_all(plain):
    with pytest.raises(DataError, match=r"has 0 pictures with a text, .* takes at least 8"):
        read_pairs(plain(every=True))


def test_an_empty_memory(empty):
    with pytest.raises(DataError, match="has 0 pictures with a text"):
        read_pairs(empty)


def test_two_pairs_are_too_few(empty, tmp_path):
    empty.add(make_examples(tmp_path / "pictures", 2))
    with pytest.raises(DataError, match="has 2 pictures with a text"):
        read_pairs(empty)


def test_one_text_for_all(plain):
    with pytest.raises(DataError, match="All 16 pictures in .* have one text, 'a thing'"):
        read_pairs(plain(every=True, texts=("a thing",)))


# --- the split -----------------------------------------------------------------------------


def test_a_split_is_whole_and_the_same_for_the_same_seed(pairs, painted):
    parts = split(pairs, painted, 0.25, 0.125, seed=3)
    assert [len(part) for part in parts] == [40, 16, 8]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(64))
    again, other = (split(pairs, painted, 0.25, 0.125, seed=s) for s in (3, 4))
    assert all(map(np.array_equal, parts, again))
    assert not np.array_equal(parts[2], other[2])


@pytest.mark.parametrize("seed", range(5))
def test_near_duplicates_stay_on_one_side(empty, tmp_path, seed):
    pictures = []
    for i in range(12):
        for size in ((320, 240), (200, 150), (160, 120)):
            file = tmp_path / f"{i}-{size[0]}.png"
            draw(i, "red", (320, 240)).resize(size).save(file)
            pictures.append(Example(file.name, file, texts=(f"number {file.stem}",)))
    empty.add(pictures)
    pairs = read_pairs(empty)
    assert len(np.unique(pairs.groups)) == 12
    parts = split(pairs, empty, 0.2, 0.2, seed)
    sides = [set(pairs.groups[part].tolist()) for part in parts]
    assert sum(map(len, sides)) == 12
    named = split(pairs, empty, 0.2, "id = '3-200.png' or id = '4-200.png'", seed)
    assert {pairs.rows[i].split("-")[0] for i in named[2]} == {"3", "4"}
    assert len(named[2]) == 6


def test_filters_name_the_parts(pairs, painted):
    train, validation, test = split(pairs, painted, "part = 'validation'", "part = 'test'", 0)
    for chosen, name in ((train, "train"), (validation, "validation"), (test, "test")):
        assert {pairs.rows[i] for i in chosen} == {r.id for r in painted.rows(f"part = '{name}'")}


def test_a_drawn_part_leaves_the_named_one_alone(pairs, painted):
    train, validation, test = split(pairs, painted, 0.25, "part = 'test'", 0)
    assert {pairs.rows[i] for i in test} == {r.id for r in painted.rows("part = 'test'")}
    assert len(validation) == 16


@pytest.mark.parametrize(
    ("validation", "test", "says"),
    [
        ("part = 'test'", "part = 'test'", "0 of the 64 pictures are left for validation"),
        ("part = 'train'", "part != 'train'", "0 of the 64 pictures are left for training"),
        (0.5, 0.5, "0 of the 64 pictures are left for training"),
        (0.2, "id = '001.png'", "1 of the 64 pictures are left for test"),
        ("part = 'nowhere'", 0.2, "The filter \"part = 'nowhere'\" names no picture"),
    ],
)
def test_a_part_that_would_be_empty_is_named(pairs, painted, validation, test, says):
    with pytest.raises(DataError, match=says):
        split(pairs, painted, validation, test, 0)


def test_a_filter_that_cannot_be_read(pairs, painted):
    with pytest.raises(FilterError, match="There is no column 'prat'"):
        split(pairs, painted, "prat = 'test'", 0.1, 0)
