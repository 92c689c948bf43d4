"""A memory whose encoder is a model's folder, as `transformers` saves it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ravl.cli import main
from ravl.encoders import load_encoder
from ravl.errors import EncoderError, EncoderMismatchError
from ravl.memory import Memory
from tests.encoders import tiny
from tests.helpers import ColourEncoder, make_examples


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The folder of a tiny CLIP of 24 dimensions; copy it before changing a file."""
    return tiny.make("clip", tmp_path_factory.mktemp("model") / "clip")


@pytest.fixture(scope="module")
def made(model, tmp_path_factory) -> Path:
    """The file of a memory that this CLIP made; copy its folder before changing it."""
    folder: Path = tmp_path_factory.mktemp("shop")
    with Memory.create(folder / "shop.ravl", f"hf:{model}") as memory:
        memory.add(make_examples(folder / "pictures"))
    return folder / "shop.ravl"


@pytest.fixture
def shop(made, tmp_path) -> Path:
    """The same memory, for a test that changes it."""
    return Path(shutil.copytree(made.parent, tmp_path / "shop")) / "shop.ravl"


def check_searches(memory: Memory) -> None:
    for row in memory:
        assert memory.search(image=row.path, k=1)[0].id == row.id  # a picture finds itself
    hits = memory.search("a red picture", k=5, mode="dense")
    assert len(hits) == 5
    assert hits[0].score > hits[4].score
    texts = memory.search("a red picture", k=1, target="texts")  # and a text itself
    assert texts[0].text == "a red picture"
    assert texts[0].score == pytest.approx(1, abs=1e-2)
    assert memory.search("number 7", k=1, mode="keyword")[0].id == "orange_007.png"


def test_a_folder_is_indexed_and_searched(model, tmp_path):
    make_examples(tmp_path / "pictures", 6)
    with Memory.create(tmp_path / "new.ravl", f"hf:{model}") as memory:
        report = memory.index(tmp_path / "pictures")
        assert (report.added, report.encoded, report.rejected) == (6, 6, 0)
        assert memory.vectors().matrix.shape == (6, tiny.DIMENSION)
        assert memory.index(tmp_path / "pictures").unchanged == 6


def test_opened_anew_it_loads_the_encoder_that_it_names(made, model):
    with Memory.open(made) as memory:
        assert memory.info().encoder == f"hf:{model}"
        assert memory.info().dimension == tiny.DIMENSION
        check_searches(memory)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("preprocessor_config.json", {"image_mean": [0.1, 0.2, 0.9]}),
        ("model.safetensors", None),
    ],
)
def test_a_model_that_has_changed_is_refused(tmp_path, model, file, changes):
    mine = Path(shutil.copytree(model, tmp_path / "mine"))
    with Memory.create(tmp_path / "m.ravl", f"hf:{mine}") as memory:
        memory.add(make_examples(tmp_path / "pictures", 4))
    if changes:
        tiny.edit(mine, file, **changes)
    else:
        shutil.rmtree(mine)
        tiny.tiny_clip(mine)  # other random weights
    with Memory.open(tmp_path / "m.ravl") as memory:
        picture, text = {"image": tmp_path / "pictures" / "red_000.png"}, {"query": "red"}
        for query in (picture,) if changes else (picture, text):  # texts are read as before
            with pytest.raises(EncoderMismatchError, match=f"ravl reembed .* --encoder hf:{mine}"):
                memory.search(**query)
        with pytest.raises(EncoderMismatchError, match="other weights, or other preprocessing"):
            memory.index(tmp_path / "pictures")
        assert memory.get("red_000.png").label == "red"  # what needs no network still works
        assert memory.reembed(f"hf:{mine}").rows == 4  # and the advice helps
        assert len(memory.search("red", k=9, mode="dense")) == 4


def test_a_model_that_is_gone_is_named(tmp_path, model):
    mine = Path(shutil.copytree(model, tmp_path / "mine"))
    Memory.create(tmp_path / "m.ravl", f"hf:{mine}").close()
    shutil.rmtree(mine)
    with Memory.open(tmp_path / "m.ravl") as memory, pytest.raises(EncoderError, match=str(mine)):
        memory.search("red")


@pytest.mark.parametrize("family", ["colour", "siglip"])
def test_reembedding_from_and_to_other_dimensions(shop, model, family, tmp_path):
    other = (
        ColourEncoder()
        if family == "colour"
        else load_encoder(f"hf:{tiny.make(family, tmp_path / family)}")
    )
    assert other.dimension != tiny.DIMENSION
    with Memory.open(shop) as memory:
        assert memory.reembed(other).rows == 16
        assert memory.vectors().matrix.shape == (16, other.dimension)
        report = memory.reembed(f"hf:{model}")
        assert (report.rows, report.reused, report.rejected) == (16, 0, [])
        check_searches(memory)
    with Memory.open(shop) as memory:
        assert memory.vectors().matrix.shape == (16, tiny.DIMENSION)
        check_searches(memory)


def test_reembedding_on_the_command_line(model, tmp_path, capsys):
    file = tmp_path / "colours.ravl"
    with Memory.create(file, ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures"))

    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        assert not ended.value.code
        return str(capsys.readouterr().out)

    reembed = ("reembed", file, "--encoder", f"hf:{model}")
    assert f"16 rows embedded with hf:{model}, 0 of them from stored features." in run(*reembed)
    assert "already has the vectors" in run(*reembed)
    assert f"hf:{model}" in run("info", file)
    found = run("search", file, "--image", tmp_path / "pictures" / "blue_002.png", "-k", 1)
    assert "blue_002.png" in found
    assert "red_000.png" in run("search", file, "a red picture", "--mode", "keyword")
