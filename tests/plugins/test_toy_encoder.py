"""An encoder of an installed package: its contract, and a memory that is opened by path alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import ravl
from ravl import Example, Memory
from ravl.errors import EncoderError
from ravl.testing.encoder_contract import EncoderContract

pytestmark = pytest.mark.usefixtures("toy")


class TestToyEncoder(EncoderContract):
    spec = "toy:8"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (40, 30), colour).save(folder / f"{colour}.png")
    return folder


@pytest.mark.parametrize("by_name", [True, False])
def test_a_memory_finds_its_encoder_again(pictures: Path, tmp_path: Path, by_name: bool) -> None:
    path = tmp_path / "m.ravl"
    with Memory.create(path, "toy:2" if by_name else ravl.load_encoder("toy:2")) as memory:
        memory.index(pictures)
    with Memory.open(path) as memory:
        assert memory.encoder.spec == "toy:2"
        assert memory.search("green", k=1)[0].id == "green.png"


def run(*arguments: str | Path, site: Path | None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*([str(site)] if site else []), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", "from ravl.cli import main; main()", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_the_command_line_finds_it(toy: Path, pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.ravl"
    done = run("index", pictures, "--memory", path, "--encoder", "toy:2", site=toy)
    assert done.returncode == 0, done.stderr
    assert "blue.png" in run("search", path, "blue", "-k", "1", site=toy).stdout
    without = run("search", path, "blue", site=None)
    assert without.returncode == 1
    assert "There is no encoder 'toy'. There are builtin, multilingual, hf" in without.stderr
    assert "If 'toy' is of a package, install that package" in without.stderr


@pytest.mark.parametrize("spec", ["ravl_hostile", "ravl_hostile:run", "os:system", "toy.evil:x"])
def test_a_hostile_memory_imports_nothing(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    """The module that a memory names as its encoder is not imported, though it could be."""
    (tmp_path / "ravl_hostile.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    encoder = ravl.load_encoder("toy:2")
    encoder.spec = spec
    path = tmp_path / "m.ravl"
    with Memory.create(path, encoder) as memory:
        memory.add([Example("a", pictures / "red.png")])
    with Memory.open(path) as memory, pytest.raises(EncoderError, match="There is no encoder"):
        memory.search("red")
    assert "ravl_hostile" not in sys.modules
