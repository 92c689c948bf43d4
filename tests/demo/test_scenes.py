"""Drawn scenes: the same ones everywhere, and captions in two languages that are true of them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ravl.demo import scenes
from ravl.demo.objects import COLOURS, KINDS, Kind
from ravl.demo.pen import shade
from ravl.demo.places import PLACES

CHINESE = re.compile(r"[\u4e00-\u9fff，]+。")
ENGLISH = re.compile(r"(A|An|Two|Three) [a-z, -]+\.")


def pixels(path: object) -> np.ndarray:
    assert isinstance(path, Path)
    with Image.open(path) as picture:
        assert (picture.size, picture.mode) == ((scenes.WIDTH, scenes.HEIGHT), "RGB")
        return np.asarray(picture)


def test_the_same_pictures_on_every_call(tmp_path: Path) -> None:
    once = list(scenes.draw(tmp_path / "a", limit=len(KINDS)))
    again = list(scenes.draw(tmp_path / "b", limit=len(KINDS)))
    for one, other in zip(once, again, strict=True):
        assert (one.id, one.texts, one.columns) == (other.id, other.texts, other.columns)
        assert np.array_equal(pixels(one.picture), pixels(other.picture))


def test_the_first_scenes_show_all_kinds(tmp_path: Path) -> None:
    drawn = list(scenes.draw(tmp_path, limit=len(KINDS)))
    assert [example.label for example in drawn] == [kind.name for kind in KINDS]
    assert len({pixels(example.picture).tobytes() for example in drawn}) == len(KINDS)


@pytest.mark.parametrize("limit", [0, 3])
def test_the_limit(limit: int, tmp_path: Path) -> None:
    assert len(list(scenes.draw(tmp_path, limit))) == limit
    assert len(list(tmp_path.rglob("*.png"))) == limit


def test_no_two_scenes_share_a_name_or_a_caption() -> None:
    plan = scenes.plan()
    assert len(plan) == len({scene.name for scene in plan}) == len(KINDS) * scenes.EACH == 126
    assert len({scenes.captions(scene) for scene in plan}) == len(plan)
    assert set(Counter(scene.kind.name for scene in plan).values()) == {scenes.EACH}
    assert {scene.place for scene in plan} == set(PLACES)
    assert {scene.colour for scene in plan} == set(COLOURS)


def test_the_captions_are_english_and_chinese() -> None:
    for scene in scenes.plan():
        english, chinese = scenes.captions(scene)
        assert ENGLISH.fullmatch(english), english
        assert CHINESE.fullmatch(chinese), chinese
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", english), english


def kind(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


@pytest.mark.parametrize(
    ("scene", "english", "chinese"),
    [
        (
            scenes.Scene("x", kind("apple"), "red", "table", size="big"),
            "A big red apple on a wooden table.",
            "木桌上有一个红色的大苹果。",
        ),
        (
            scenes.Scene("x", kind("fish"), "orange", "water", count=2),
            "Two orange fish under water.",
            "水里有两条橙色的鱼。",
        ),
        (
            scenes.Scene("x", kind("car"), "orange", "snow", other=(kind("tree"), "green")),
            "An orange car on the left and a green tree on the right, in the snow.",
            "雪地里，左边是一辆橙色的汽车，右边是一棵绿色的树。",
        ),
    ],
)
def test_captions(scene: scenes.Scene, english: str, chinese: str) -> None:
    assert scenes.captions(scene) == (english, chinese)


def test_what_is_known_of_a_scene(tmp_path: Path) -> None:
    scene = scenes.Scene("x", kind("car"), "red", "snow", other=(kind("tree"), "green"))
    example = scenes.example(scene, tmp_path)
    assert (example.id, example.label, example.tags) == ("x", "car", ("car", "tree"))
    assert example.columns == {"colour": "red", "count": 1}


def coloured(scene: scenes.Scene, colour: str) -> np.ndarray:
    """Which pixels have a thing's main colour; flowers have petals in two shades of it."""
    array = np.asarray(scenes.render(scene))
    shades = [shade(COLOURS[colour][0], by) for by in (-0.12, 0, 0.12)]
    found: np.ndarray = np.logical_or.reduce([(array == one).all(axis=2) for one in shades])
    return found


def test_things_have_their_colour_and_their_side() -> None:
    for scene in scenes.plan()[-2 * len(KINDS) :]:
        if scene.other is None or scene.other[1] == scene.colour:
            continue
        left, right = np.split(coloured(scene, scene.colour), 2, axis=1)
        assert left.sum() > 4 * right.sum(), scene.name
        left, right = np.split(coloured(scene, scene.other[1]), 2, axis=1)
        assert right.sum() > 4 * left.sum(), scene.name


def test_big_things_are_larger_than_small_ones() -> None:
    for thing in KINDS:
        colour, place = thing.colours[0], thing.places[0]
        small, plain, big = (
            coloured(scenes.Scene("x", thing, colour, place, size=size), colour).sum()
            for size in ("small", "", "big")
        )
        assert small < plain < big, thing.name


def test_an_interrupted_drawing_is_not_taken_for_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(self: Image.Image, path: Path, format: str) -> None:
        path.write_bytes(b"\x89PNG")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", cut)
        with pytest.raises(KeyboardInterrupt):
            list(scenes.draw(tmp_path, limit=1))
    assert [*tmp_path.rglob("*.*")] == []
    (example,) = scenes.draw(tmp_path, limit=1)
    assert pixels(example.picture).any()
    assert [path.suffix for path in tmp_path.rglob("*.*")] == [".png"]


def test_pictures_of_another_version_are_drawn_anew(tmp_path: Path) -> None:
    (first,) = scenes.draw(tmp_path, limit=1)
    assert isinstance(first.picture, Path)
    before = pixels(first.picture)
    Image.new("RGB", (scenes.WIDTH, scenes.HEIGHT)).save(first.picture)
    (again,) = scenes.draw(tmp_path, limit=1)
    assert np.array_equal(pixels(again.picture), before)
