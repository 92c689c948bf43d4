from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ravl.encoders import Encoder, load_encoder
from ravl.encoders.base import Array, probe_picture
from ravl.encoders.towers.freezing import trainable
from ravl.encoders.towers.vision import VisionTower
from ravl.encoders.trained import Head, TrainedEncoder
from ravl.errors import DataError, EncoderError, EncoderMismatchError
from tests.encoders import tiny
from tests.helpers import COLOURS, ColourEncoder, draw

STRATEGIES = ("head", "lora", "top:1", "full")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """On so little data threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Callable[[str], Encoder]:
    """Family -> a tiny encoder."""
    known: dict[str, Encoder] = {}

    def get(family: str) -> Encoder:
        if family not in known:
            folder = tiny.make(family, tmp_path_factory.mktemp(family) / "model")
            known[family] = load_encoder(f"hf:{folder}")
        return known[family]

    return get


def pictures(encoder: Encoder) -> list[Array]:
    return [encoder.prepare(p) for p in (probe_picture(), *(draw(3, c) for c in list(COLOURS)[:2]))]


def close(found: np.ndarray, expected: np.ndarray, within: float = 1e-3) -> None:
    np.testing.assert_allclose(found, expected, atol=within * float(np.abs(expected).max()))


def shaken(tower: VisionTower) -> VisionTower:
    """As if it had learned something."""
    with torch.no_grad():
        for _, parameter in trainable(tower.tail):
            parameter.add_(0.02 * torch.randn_like(parameter))
    return tower


def tail(tower: VisionTower, maps: Any) -> np.ndarray:
    with torch.inference_mode():
        found: np.ndarray = tower.tail(torch.from_numpy(maps)).numpy()
    return found


def names(tower: VisionTower) -> set[str]:
    return {name for name, _ in trainable(tower.tail)}


# --- stem and tail are the network --------------------------------------------------------


@pytest.mark.parametrize("strategy", ["lora", "top:3", "full"])
def test_builtin_in_two_parts(builtin, strategy):
    prepared = pictures(builtin)
    expected = builtin.features(prepared)
    tower = VisionTower(builtin, strategy)
    close(tower.features(prepared), expected)
    close(tail(tower, tower.stem(prepared)), expected)


@pytest.mark.parametrize("family", ["clip", "siglip", "chinese_clip", "altclip"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_transformers_in_two_parts(made, family, strategy):
    encoder = made(family)
    prepared = pictures(encoder)
    expected = encoder.features(prepared)
    tower = VisionTower(encoder, strategy)
    close(tower.features(prepared), expected)
    close(tail(tower, tower.stem(prepared)), expected, 2e-2 if strategy == "full" else 5e-3)


def test_maps_are_small(builtin):
    prepared = pictures(builtin)
    maps = {s: VisionTower(builtin, s).stem(prepared) for s in ("head", "top:3", "top:5", "full")}
    shapes = {s: (m.dtype.name, m.shape[1:]) for s, m in maps.items()}
    assert shapes == {
        "head": ("float16", (1280,)),
        "top:3": ("float16", (192, 7, 7)),
        "top:5": ("float16", (112, 14, 14)),
        "full": ("uint8", (3, 224, 224)),
    }


def test_no_pictures(made):
    assert VisionTower(made("clip"), "top:1").features([]).shape == (0, tiny.DIMENSION)


# --- what learns ---------------------------------------------------------------------------


def test_what_learns_of_builtin(builtin):
    assert names(VisionTower(builtin, "head")) == set()
    steps = {n.split(".")[1] for n in names(VisionTower(builtin, "top:2"))}
    assert steps == {"15", "16", "17"}  # two blocks and the last convolution; the tail has no more
    assert len(VisionTower(builtin, "top:2").tail.steps) == 3  # type: ignore[arg-type]
    lora = names(VisionTower(builtin, "lora"))
    assert lora
    assert all("lora_" in n for n in lora)
    full = VisionTower(builtin, "full")
    assert names(full) == {n for n, _ in full.tail.named_parameters()}


def test_what_learns_of_clip(made):
    lora = names(VisionTower(made("clip"), "lora"))
    assert {n.split(".")[-4] for n in lora} == {"q_proj", "v_proj"}
    steps = {n.split(".")[1] for n in names(VisionTower(made("clip"), "top:1"))}
    assert steps == {"2", "3"}


def test_transformers_learn_slowly_unless_by_adapters(made, builtin):
    paces = [VisionTower(made("clip"), s).lr_scale for s in ("top:1", "full", "lora", "head")]
    assert paces == [0.1, 0.1, 1, 1]
    assert VisionTower(builtin, "top:1").lr_scale == 1


def test_norms_keep_their_statistics(builtin):
    tower = VisionTower(builtin, "top:1")
    tower.tail.train()
    before = {n: b.clone() for n, b in tower.tail.named_buffers()}
    maps = torch.from_numpy(tower.stem(pictures(builtin)))
    tower.tail(maps).sum().backward()
    assert all(torch.equal(b, before[n]) for n, b in tower.tail.named_buffers())


def test_the_encoder_itself_never_changes(made):
    encoder = made("clip")
    prepared = pictures(encoder)
    before = encoder.features(prepared)
    tower = shaken(VisionTower(encoder, "full"))
    assert np.abs(tower.features(prepared) - before).max() > 1e-3
    np.testing.assert_array_equal(encoder.features(prepared), before)


# --- keeping it ----------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_saved_and_loaded_it_gives_the_same(made, tmp_path, strategy):
    encoder = made("clip")
    prepared = pictures(encoder)
    tower = shaken(VisionTower(encoder, strategy))
    tower.save(tmp_path / "tower")
    again = VisionTower.load(tmp_path / "tower", encoder)
    assert again.strategy == tower.strategy
    np.testing.assert_array_equal(again.features(prepared), tower.features(prepared))


def test_only_what_learned_is_saved(builtin, tmp_path):
    shaken(VisionTower(builtin, "lora")).save(tmp_path)
    assert (tmp_path / "vision.safetensors").stat().st_size < 1_000_000


def test_trained_heads_on_the_same_network_do_not_matter(made, tmp_path):
    base = made("clip")
    VisionTower(base, "top:1").save(tmp_path)
    eye = np.eye(tiny.DIMENSION, dtype=np.float32)
    head = Head(mean=0 * eye[0], scale=1 + 0 * eye[0], weight=eye, bias=0 * eye[0])
    tower = VisionTower.load(tmp_path, TrainedEncoder(base, head, head, 0.5))
    assert tower.encoder is base


def test_another_encoder_is_refused(made, tmp_path):
    VisionTower(made("clip"), "top:1").save(tmp_path)
    with pytest.raises(
        EncoderMismatchError, match="was tuned from the encoder hf:.*Load the first"
    ):
        VisionTower.load(tmp_path, made("siglip"))


def test_damaged_files(made, tmp_path):
    with pytest.raises(EncoderError, match="does not exist"):
        VisionTower.load(tmp_path, made("clip"))
    VisionTower(made("clip"), "top:1").save(tmp_path)
    settings = json.loads((tmp_path / "vision.json").read_text())
    weights = (tmp_path / "vision.safetensors").read_bytes()

    def refused(message: str, **changes: object) -> None:
        (tmp_path / "vision.json").write_text(json.dumps({**settings, **changes}))
        with pytest.raises(EncoderError, match=message):
            VisionTower.load(tmp_path, made("clip"))

    refused("newer ravl", format=99)
    refused("does not contain the layers that top:2 tunes", strategy="top:2")
    refused("fingerprint of an encoder is damaged", fingerprint=None)
    (tmp_path / "vision.safetensors").write_bytes(weights[:100])
    refused("cannot be read")


# --- what cannot be tuned ------------------------------------------------------------------


def test_too_many_layers(builtin):
    with pytest.raises(DataError, match="the model has 16. Use at most top:16"):
        VisionTower(builtin, "top:17")


def test_an_encoder_without_a_network_has_a_head_only():
    encoder = ColourEncoder()
    prepared = pictures(encoder)
    np.testing.assert_array_equal(
        VisionTower(encoder, "head").features(prepared), encoder.features(prepared)
    )
    with pytest.raises(EncoderError, match="no trainable network. Use the strategy head"):
        VisionTower(encoder, "full")


def test_pictures_of_any_shape_have_a_head_only(made):
    encoder = made("siglip2")
    with pytest.raises(EncoderError, match="needs more than pixels. Use the strategy head"):
        VisionTower(encoder, "top:1")


def test_a_network_of_other_parts_is_tuned_in_full_or_not_at_all(tmp_path: Path):
    encoder: Any = load_encoder(f"hf:{tiny.make('clip', tmp_path / 'clip')}")
    layers = encoder.model.vision_model.encoder
    encoder.model.vision_model.encoder = Renamed(layers)
    prepared = pictures(encoder)
    with pytest.raises(EncoderError, match="Only the strategies head and full work with it"):
        VisionTower(encoder, "top:1")
    close(VisionTower(encoder, "full").features(prepared), encoder.features(prepared))


class Renamed(torch.nn.Module):
    """A transformer whose layers are not where CLIP has them."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.inside = encoder

    def forward(self, **inputs: Any) -> Any:
        return self.inside(**inputs)
