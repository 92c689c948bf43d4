"""A sample set that ravl draws itself, for machines without a network.

126 small scenes with captions in English and Chinese; they are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw

from ravl.data import QA, Example, Scalar
from ravl.demo.objects import COLOURS, KINDS, Kind
from ravl.demo.pen import Pen, shade
from ravl.demo.places import HORIZON, PLACES, paint
from ravl.files.whole_file import whole_file

NAME = "Drawn scenes"
WIDTH, HEIGHT = 400, 300
FINER = 3  # drawn this many times larger and scaled down, for smooth edges
SEED = 7
EACH = 9  # scenes per kind
NUMBERS = {1: ("A", "一"), 2: ("Two", "两"), 3: ("Three", "三")}
SIZES = {"": ("", "", 1.0), "big": ("big ", "大", 1.3), "small": ("small ", "小", 0.62)}


@dataclass(frozen=True, slots=True)
class Scene:
    """The content of a picture.

    Args:
        name: name of the file, without suffix; the id.
        kind: kind of the object.
        colour: colour of the object, a name in COLOURS.
        place: a name in PLACES.
        count: number of objects.
        size: a name in SIZES.
        other: another object to the right, and its colour.
    """

    name: str
    kind: Kind
    colour: str
    place: str
    count: int = 1
    size: str = ""
    other: tuple[Kind, str] | None = None


def draw(folder: Path, limit: int | None = None) -> Iterator[Example]:
    """Draw the scenes into a folder, and yield each with its texts.

    They are drawn again each time, because pictures of another version can differ.

    Args:
        folder: a folder for the pictures, created if necessary.
        limit: maximal number of scenes.
    """
    for scene in plan()[:limit]:
        path = folder / f"{scene.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as half:
            render(scene).save(half, "PNG")
        yield example(scene, path)


def plan() -> list[Scene]:
    """All scenes; every prefix of the list has all kinds about equally often."""
    random = Random(SEED)  # noqa: S311 (no secret, but the same pictures everywhere)
    choices = {
        kind.name: tuple(map(cycle, (kind.colours, kind.places, random.sample(list(SIZES), 3))))
        for kind in KINDS
    }
    return [
        _scene(kind, number, choices[kind.name], random)
        for number in range(1, EACH + 1)
        for kind in KINDS
    ]


def example(scene: Scene, path: Path) -> Example:
    """A scene with its texts, questions and columns."""
    tags = (scene.kind.name, *((scene.other[0].name,) if scene.other else ()))
    columns: dict[str, Scalar] = {"colour": scene.colour, "count": scene.count}
    return Example(
        scene.name, path, captions(scene), scene.kind.name, tags, questions(scene), columns, NAME
    )


def questions(scene: Scene) -> tuple[QA, ...]:
    """Questions about a scene, with answers."""
    return (
        QA("what is in the picture?", (scene.kind.name,)),
        QA("what colour is it?", (scene.colour,)),
        QA("where is it?", (PLACES[scene.place].english,)),
        QA("how many are there?", (str(scene.count),)),
    )


def captions(scene: Scene) -> tuple[str, str]:
    """The caption of a scene, in English and in Chinese."""
    place = PLACES[scene.place]
    thing, chinese = _thing(scene.kind, scene.colour, scene.count, scene.size)
    if scene.other is None:
        return f"{thing} {place.english}.", f"{place.chinese}有{chinese}。"
    right, right_chinese = _thing(*scene.other, 1, "")
    return (
        f"{thing} on the left and {right.lower()} on the right, {place.english}.",
        f"{place.chinese}，左边是{chinese}，右边是{right_chinese}。",
    )


def render(scene: Scene) -> Image.Image:
    """The picture of a scene."""
    random = Random(f"{SEED} {scene.name}")  # noqa: S311
    size = WIDTH * FINER, HEIGHT * FINER
    picture = paint(scene.place, size, random)
    pen_for = ImageDraw.Draw(picture)
    things = [(scene.kind, scene.colour)] * scene.count
    if scene.other is not None:
        things.append(scene.other)
    scale = SIZES[scene.size][2] * (1.0, 0.8, 0.62)[len(things) - 1]
    for i, (kind, colour) in enumerate(things):
        middle = (i + random.uniform(0.44, 0.56)) / len(things)
        height = min(kind.size * scale, 0.8 / len(things) * WIDTH / HEIGHT / kind.width)
        _place_thing(pen_for, scene, kind, colour, middle, height, random)
    return picture.reduce(FINER)


def _scene(kind: Kind, number: int, choices: tuple[Iterator[str], ...], random: Random) -> Scene:
    """The n-th scene of a kind: five with one thing, two with several, two with another kind."""
    colour, place, size = map(next, choices)
    name = f"{kind.name.replace(' ', '-')}/{colour}-{number}"
    if number in (6, 7):
        return Scene(name, kind, colour, place, count=number - 4)
    if number > 7:
        others = [k for k in KINDS if k is not kind and place in k.places]
        if others:
            other = random.choice(others)
            return Scene(name, kind, colour, place, other=(other, random.choice(other.colours)))
    return Scene(name, kind, colour, place, size=size)


def _thing(kind: Kind, colour: str, count: int, size: str) -> tuple[str, str]:
    """For example "Two big red apples" and 两个红色的大苹果."""
    number, number_chinese = NUMBERS[count]
    adjective, adjective_chinese, _ = SIZES[size]
    if count == 1 and (adjective or colour)[0] in "aeiou":
        number = "An"
    measure, noun = kind.chinese.split()
    return (
        f"{number} {adjective}{colour} {kind.name if count == 1 else kind.plural}",
        f"{number_chinese}{measure}{COLOURS[colour][1]}的{adjective_chinese}{noun}",
    )


def _place_thing(
    draw: ImageDraw.ImageDraw,
    scene: Scene,
    kind: Kind,
    colour: str,
    middle: float,
    height: float,
    random: Random,
) -> None:
    ground = PLACES[scene.place].ground
    if ground is None:
        foot = 0.5 + height / 2 + random.uniform(-0.06, 0.06)
    else:
        foot = max(HORIZON + 0.08, 0.5 + height / 2) + random.uniform(0.02, 0.08)
    pen = Pen(
        draw, middle * WIDTH * FINER, min(foot, 0.95) * HEIGHT * FINER, height * HEIGHT * FINER
    )
    if ground is not None and scene.place not in ("sea", "sunset"):
        pen.ellipse((0.03, 0), 0.5 * kind.width, 0.05, shade(ground, -0.16))
    kind.draw(pen, COLOURS[colour][0])
