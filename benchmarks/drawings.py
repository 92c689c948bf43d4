"""Pictures to drawing code: the code that is written is run, and both pictures are compared.

A script draws one to three shapes on white; the code is JSON that follows a schema. Agreement is
the share of pixels drawn in either picture that have the same colour in both.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import ravl
from benchmarks.report import Lines
from ravl.data import Example
from ravl.encoders.base import Array
from ravl.evaluation import Score, bootstrap
from ravl.memory import Memory
from ravl.tasks.fit import fit

PARTS = {"train": 1600, "validation": 200, "test": 200}
SIDE = 96  # of a drawing, in pixels
EPOCHS = 12
TINY = {"PARTS": {"train": 24, "validation": 8, "test": 8}, "EPOCHS": 1}
KINDS = ("circle", "square", "triangle")
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 70, 210),
    "yellow": (240, 210, 40),
    "black": (20, 20, 20),
}
SIZES = {"small": 9, "big": 16}
PLACES = {
    f"{row} {column}": (x, y)
    for row, y in (("top", 18), ("middle", 48), ("bottom", 78))
    for column, x in (("left", 18), ("centre", 48), ("right", 78))
}
SHAPE = {
    "type": "object",
    "properties": {
        "kind": {"enum": list(KINDS)},
        "size": {"enum": list(SIZES)},
        "colour": {"enum": list(COLOURS)},
        "at": {"enum": list(PLACES)},
    },
    "required": ["kind", "size", "colour", "at"],
    "additionalProperties": False,
}
SCHEMA = {"type": "array", "items": SHAPE, "minItems": 1, "maxItems": 3}


def run() -> Lines:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "schema.json").write_text(json.dumps(SCHEMA))
        with Memory.create(folder / "drawings.ravl") as memory:
            memory.add(drawings(folder))
            report: Any = fit(
                "caption",
                memory,
                out=folder / "run",
                target="code",
                model="generator",
                schema=str(folder / "schema.json"),
                validation='part = "validation"',
                test='part = "test"',
                compare="hidden",
                reward_epochs=0,
                epochs=EPOCHS,
                progress=False,
                command="benchmark",
            )
            lines: Lines = [
                {
                    "row": row,
                    "valid": Score(**scores["valid"]).percent(),
                    "CIDEr-D": str(Score(**scores["CIDEr-D"])),
                }
                for row, scores in report.metrics["rows"].items()
            ]
            rows = list(memory.rows('part = "test"'))
            with ravl.load(folder / "run", memory) as model:
                ways: dict[str, dict[str, Any]] = {
                    "with_retrieval": {},
                    "no_retrieval": {"retrieval": False},
                    "vote": {"vote_only": True},
                }
                # The memory holds the test pictures, too: each is judged without itself.
                lines += [
                    {"run and compared": row, **judged(model, rows, how)}
                    for row, how in ways.items()
                ]
        return [*lines, {"seconds": report.seconds}]


def judged(model: Any, rows: list[Any], how: dict[str, Any]) -> dict[str, str]:
    """Agreement of what the code draws with the pictures, and how often it is the same code."""
    hidden = [np.array([row.group]) for row in rows]
    predictor = model.predictor
    captioner, _ = predictor._ready()
    seen = predictor._look(captioner, [row.path for row in rows])
    written = [p.best for p in predictor.judge(seen, hidden, **how)]
    truth = [json.loads(str(row.columns["code"])) for row in rows]
    agreement = np.array(
        [
            agreed(draw(shapes), draw(json.loads(text) if text else []))
            for shapes, text in zip(truth, written, strict=True)
        ]
    )
    same = np.array(
        [
            canonical(shapes) == canonical(json.loads(text) if text else [])
            for shapes, text in zip(truth, written, strict=True)
        ]
    )
    return {"pixels agree": bootstrap(agreement).percent(), "same code": bootstrap(same).percent()}


def drawings(folder: Path) -> list[Example]:
    """All drawings with their code."""
    chance = random.Random(0)
    found = []
    for part, count in PARTS.items():
        for i in range(count):
            places = sorted(chance.sample(list(PLACES), chance.randint(1, 3)))
            shapes = [
                {
                    "kind": chance.choice(KINDS),
                    "size": chance.choice(list(SIZES)),
                    "colour": chance.choice(list(COLOURS)),
                    "at": place,
                }
                for place in places
            ]
            file = folder / part / f"{i}.png"
            file.parent.mkdir(exist_ok=True)
            draw(shapes).save(file)
            code = json.dumps(shapes, separators=(",", ":"))
            found.append(Example(f"{part}/{i}", file, columns={"code": code, "part": part}))
    return found


def draw(shapes: list[dict[str, str]]) -> Image.Image:
    """Run the code."""
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(picture)
    for shape in shapes:
        (x, y), r = PLACES[shape["at"]], SIZES[shape["size"]]
        box, colour = (x - r, y - r, x + r, y + r), COLOURS[shape["colour"]]
        if shape["kind"] == "circle":
            pen.ellipse(box, colour)
        elif shape["kind"] == "square":
            pen.rectangle(box, colour)
        else:
            pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], colour)
    return picture


def agreed(one: Image.Image, other: Image.Image) -> float:
    """See the module's docstring."""
    a: Array = np.asarray(one, np.int16)
    b: Array = np.asarray(other, np.int16)
    drawn = (a != 255).any(-1) | (b != 255).any(-1)
    return float((a == b).all(-1)[drawn].mean()) if drawn.any() else 1.0


def canonical(shapes: list[dict[str, str]]) -> str:
    """The same text for the same shapes in any order."""
    return json.dumps(sorted(json.dumps(s, sort_keys=True) for s in shapes))
