"""A generator of an installed package: its contract, and who may name it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ravl import Memory
from ravl.errors import DataError, EncoderError
from ravl.models.generation.base import Decoding
from ravl.models.generation.loading import load_generator
from ravl.runs.run import GENERATOR, Run
from ravl.tasks.caption.files import _generator
from ravl.tasks.caption.model import CaptionPipeline
from ravl.testing.generator_contract import GeneratorContract
from ravl.training.generator_settings import GeneratorSettings
from tests.helpers import ColourEncoder, draw, make_examples

pytestmark = pytest.mark.usefixtures("toy")


class TestToyGenerator(GeneratorContract):
    spec = "toy:soft"


def test_it_writes_for_a_memory(tmp_path: Path) -> None:
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path))
        pipeline = CaptionPipeline(memory, generator=load_generator("toy:loud", constrain=None))
        answer = pipeline.predict([draw(9, "red")])[0]
    assert "PICTURE" in answer.text


def test_settings_take_its_name() -> None:
    assert GeneratorSettings(generator="toy:loud").generator == "toy:loud"
    with pytest.raises(DataError, match=r"hf:NAME, openai:URL, or the name of a generator"):
        GeneratorSettings(generator="nobody:loud")


def test_a_run_names_it(tmp_path: Path) -> None:
    made = _generator(Run(tmp_path, {"generator": "toy:loud"}), Decoding())
    assert made.spec == "toy:loud"
    (tmp_path / GENERATOR).mkdir()  # as a generator with a method save leaves it
    made = _generator(Run(tmp_path, {"generator": "toy:loud"}), Decoding())
    assert made.spec == f"toy:{tmp_path / GENERATOR}"


@pytest.mark.parametrize("spec", ["ravl_hostile:x", "ravl_hostile", "os:system", "toy.evil:x"])
def test_a_hostile_run_imports_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    (tmp_path / "ravl_hostile.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EncoderError, match="There is no generator"):
        _generator(Run(tmp_path, {"generator": spec}), Decoding())
    assert "ravl_hostile" not in sys.modules
