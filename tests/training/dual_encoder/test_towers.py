"""Training the retriever with towers: the encoder's networks learn beside frozen ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ravl.encoders import load_encoder
from ravl.encoders.trained import TrainedEncoder
from ravl.errors import DataError, EncoderError, RavlError
from ravl.memory import Memory
from ravl.store.space import Kind
from ravl.training.dual_encoder import heads
from ravl.training.dual_encoder.heads import RetrieverModel
from ravl.training.dual_encoder.material import TrainingInputs
from ravl.training.dual_encoder.pairs import read_pairs
from ravl.training.dual_encoder.settings import RetrieverSettings
from ravl.training.dual_encoder.towers import starting, with_towers
from tests.encoders import tiny
from tests.training.painted import fitted, paint

QUICK = {"epochs": 3, "hidden": 0, "dimension": 8, "batch_size": 32}
TUNED = {"tune_vision": "top:1", "tune_text": "lora"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """A folder with a memory of painted pictures, made with a tiny CLIP."""
    folder: Path = tmp_path_factory.mktemp("tuned")
    model = tiny.make("clip", folder / "clip")
    with Memory.create(folder / "shop.ravl", f"hf:{model}") as memory:
        memory.add(paint(folder / "pictures", 40))
    return folder


@pytest.fixture
def memory(shop, tmp_path):
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    with Memory.open(tmp_path / "shop.ravl") as opened:
        yield opened


def kept(memory: Memory, kind: Kind) -> dict[int, np.ndarray]:
    return memory.store.vectors.read(kind, [row.number for row in memory.rows()])


def material(
    memory: Memory, folder: Path, **changes: object
) -> tuple[TrainingInputs, RetrieverSettings]:
    settings = RetrieverSettings(**{**QUICK, **TUNED, "dropout": 0.0, **changes})  # type: ignore[arg-type]
    encoder = memory.encoder
    pairs, vision, maps, text = with_towers(
        memory, read_pairs(memory), encoder, settings, folder, False
    )
    texts = encoder.embed_texts(pairs.texts)
    return TrainingInputs(pairs, texts, vision=vision, maps=maps, text=text), settings


def model(made: TrainingInputs, settings: RetrieverSettings) -> RetrieverModel:
    torch.manual_seed(0)
    everything = np.arange(len(made.pairs.rows)), np.arange(len(made.texts))
    return RetrieverModel(
        *starting(made, *everything),
        settings,
        made.vision.tail if made.vision else None,
        made.text.network if made.text else None,
    )


@pytest.mark.parametrize(
    "tuned",
    [
        TUNED,
        {"tune_text": "top:1"},
        pytest.param({"tune_vision": "full"}, marks=pytest.mark.slow),
        pytest.param({"tune_vision": "lora"}, marks=pytest.mark.slow),
    ],
)
def test_a_fit_gives_the_memory_an_encoder_that_it_can_load_again(
    memory, tmp_path, tuned, monkeypatch
):
    monkeypatch.setattr(
        "ravl.tasks.search.fit.recall",
        lambda held, space, strength: float(space is held.after),
    )
    before = kept(memory, "features")
    report = fitted(memory, tmp_path / "run", **QUICK, **tuned)
    assert report.adopted
    encoder = memory.encoder
    assert isinstance(encoder, TrainedEncoder)
    assert encoder.projects == ("tune_vision" not in tuned)
    for number, features in kept(memory, "features").items():  # tasks see what no text has touched
        np.testing.assert_array_equal(features, before[number])
    found = kept(memory, "vectors")
    row = next(memory.rows())
    looked = encoder.embed_pictures([memory.picture(row, hint=encoder.picture_size)])[0]
    np.testing.assert_allclose(looked, found[row.number], atol=5e-3)
    again = load_encoder(f"run:{tmp_path / 'run'}")
    np.testing.assert_allclose(
        again.embed_texts(row.texts), encoder.embed_texts(row.texts), atol=2e-3
    )
    hits = memory.search(row.texts[0])
    memory.close()
    with Memory.open(tmp_path / "shop.ravl") as opened:  # the towers are in its file
        assert [h.id for h in opened.search(row.texts[0])] == [h.id for h in hits]
        assert opened.encoder.spec == encoder.spec
        opened.add(paint(tmp_path / "more", 1, first=900))  # both networks look at new ones
        assert len(opened) == 41


def test_towers_learn_and_begin_as_the_frozen_ones(memory, tmp_path):
    made, settings = material(memory, tmp_path)
    assert made.vision is not None
    assert made.text is not None
    seen, read = starting(made, np.arange(5), np.arange(5))
    features = made.pairs.features
    np.testing.assert_allclose(seen[:, features.shape[1] :], features[:5], atol=2e-2)
    np.testing.assert_allclose(read[:, made.texts.shape[1] :], made.texts[:5], atol=2e-3)
    one = model(made, settings)
    pairs = made.pairs
    loss = one(
        **made.pictures(pairs.owners[:9]),
        **made.read(pairs.which[:9]),
        groups=torch.arange(9),
        which=torch.arange(9),
    )["loss"]
    loss.backward()
    learning = [*made.vision.learning, *made.text.learning]
    assert learning
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in learning)
    assert sum(float(p.grad.abs().sum()) for p in made.vision.learning if p.grad is not None) > 0


def test_gradient_caching_gives_the_gradients_of_the_whole_batch(memory, tmp_path, monkeypatch):
    monkeypatch.setattr(heads, "PART", 4)
    made, settings = material(memory, tmp_path)
    _, cached = material(memory, tmp_path, gradient_cache=True)
    pairs = made.pairs
    inputs = {
        **made.pictures(pairs.owners[:10]),
        **made.read(pairs.which[:10]),
        "groups": torch.arange(10),
        "which": torch.arange(10),
    }
    assert made.vision is not None
    found = []
    for some in (settings, cached):
        one = model(made, some)
        one.zero_grad()
        one(**inputs)["loss"].backward()
        found.append([p.grad.clone() for p in made.vision.learning if p.grad is not None])
    for mine_hard_negatives, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine_hard_negatives, theirs, atol=1e-6, rtol=1e-4)


def test_pictures_that_cannot_be_read_any_more_are_left_out(memory, tmp_path):
    picture = next(memory.rows())
    assert picture.path is not None
    picture.path.write_bytes(picture.path.read_bytes()[:99])
    made, _ = material(memory, tmp_path)
    assert picture.id not in made.pairs.rows
    assert len(made.pairs.rows) == 39
    assert made.maps is not None
    assert len(made.maps) == len(made.pairs.hashes) == 39
    assert set(made.pairs.owners.tolist()) == set(range(39))
    shutil.rmtree(tmp_path / "pictures")
    with pytest.raises(DataError, match="0 of the 40 pictures .* can still be read"):
        material(memory, tmp_path / "again")


def test_heads_of_a_tuned_tower_do_not_take_frozen_features_alone(memory, tmp_path):
    fitted(memory, tmp_path / "run", **QUICK, tune_vision="top:1")
    encoder = TrainedEncoder.load(tmp_path / "run")
    with pytest.raises(EncoderError, match="must be encoded again"):
        encoder.project(np.zeros((2, encoder.feature_dimension), np.float32))


def test_a_strategy_that_is_none_is_named():
    with pytest.raises(DataError, match="strategy is 'most'; it must be head, lora, full"):
        RetrieverSettings(tune_vision="most")


def test_a_teacher_is_asked_once_and_its_preferences_are_learned(memory, shop, tmp_path):
    report = fitted(
        memory, tmp_path / "run", **QUICK, teacher=f"hf:{shop / 'clip'}", teacher_weight=1.0
    )
    assert report.curve
    with pytest.raises(EncoderError, match="There is no encoder 'nobody'"):
        fitted(memory, tmp_path / "other", **QUICK, teacher="nobody")
    with pytest.raises(DataError, match="teacher_weight is 0; it must be more than 0"):
        RetrieverSettings(teacher_weight=0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tune_vision": "top:99"}, "top:99 needs 99 layers, but the model has 2"),
        ({"tune_text": "top:99"}, "top:99 needs 99 layers, but the model has 2"),
        ({"tune_vision": "top:1", "vision_side": 64}, "accepts pictures of one size"),
        ({"teacher": "nobody"}, "There is no encoder 'nobody'"),
        ({"test": "price <"}, "price <"),
    ],
)
def test_a_fit_that_is_refused_leaves_its_folder_free(memory, tmp_path, changes, says):
    before = memory.info().encoder
    with pytest.raises(RavlError, match=says):
        fitted(memory, tmp_path / "run", **{**QUICK, **changes})
    assert not (tmp_path / "run").exists()
    assert memory.info().encoder == before


def test_a_fit_that_was_interrupted_goes_on_although_it_is_refused_in_between(
    memory, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RetrieverModel, "forward", interrupt)
        fitted(memory, tmp_path / "run", **QUICK, tune_vision="top:1")
    maps = (tmp_path / "run" / "work" / "maps.npy").read_bytes()
    with pytest.raises(DataError, match="was interrupted and had other settings"):
        fitted(memory, tmp_path / "run", **QUICK, tune_vision="top:2")
    assert (tmp_path / "run" / "work" / "maps.npy").read_bytes() == maps
    assert fitted(memory, tmp_path / "run", **QUICK, tune_vision="top:1").curve


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
