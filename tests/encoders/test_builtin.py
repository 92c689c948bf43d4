from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
import torch
from PIL import Image

from ravl.encoders import efficientnet
from ravl.encoders.builtin import SEMANTIC
from tests.helpers import draw, shared_set

CLASSES = json.loads((files("ravl.encoders") / "imagenet_classes.json").read_text("utf-8"))

# Pictures of the stamps set and the ImageNet class that each must be taken for.
STAMPS = {
    "animals__birds__pink_flamingo_png.jpg": "flamingo",
    "animals__mammals__pig_png.jpg": "pig",
    "animals__mammals__equines__zebra_png.jpg": "zebra",
}


def stamp(name: str) -> Image.Image:
    return Image.open(shared_set("tuxpaint_stamps") / "images" / name).convert("RGB")


@pytest.mark.parametrize(("name", "expected"), STAMPS.items())
def test_predicts_the_imagenet_class(builtin, name, expected):
    network = efficientnet.load_pretrained()
    prepared = torch.from_numpy(builtin.prepare(stamp(name)))[None]
    with torch.inference_mode():
        logits = network.classifier(network(prepared)[0])
    assert CLASSES[int(logits.argmax())] == expected


def test_onnx_equals_torch(builtin):
    prepared = [builtin.prepare(draw(i, "red", (300, 200))) for i in range(3)]
    with torch.inference_mode():
        features, grid = efficientnet.load_pretrained()(torch.from_numpy(np.stack(prepared)))
    np.testing.assert_allclose(builtin.features(prepared), features.numpy(), atol=1e-3)
    np.testing.assert_allclose(builtin.patch_features(prepared), grid.numpy(), atol=1e-2)


def test_pooled_features_are_the_mean_of_the_grid(builtin):
    prepared = [builtin.prepare(draw(i, "green")) for i in range(2)]
    grid = builtin.patch_features(prepared)
    assert grid.shape == (2, 49, 1280)
    np.testing.assert_allclose(grid.mean(axis=1), builtin.features(prepared), atol=1e-3)


def test_texts_meet_pictures_in_the_semantic_half(builtin):
    texts = builtin.embed_texts(["a flamingo", "a pig", "a zebra"])
    assert not texts[:, SEMANTIC:].any()
    pictures = builtin.embed_pictures([stamp(name) for name in STAMPS])
    scores = pictures @ texts.T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("size", [(224, 224), (1, 1), (1, 5000), (5000, 1), (3, 7), (1600, 1200)])
def test_prepares_any_shape(builtin, size):
    prepared = builtin.prepare(Image.new("RGB", size, (255, 0, 0)))
    assert prepared.shape == (3, 224, 224)
    assert prepared.dtype == np.float32
    assert prepared.min() >= -1
    assert prepared.max() <= 1
    middle = prepared[:, 112, 112] * 128 + 127
    np.testing.assert_allclose(middle, [255, 0, 0], atol=1)


def test_a_square_fills_the_input_and_others_get_a_white_margin(builtin):
    assert (builtin.prepare(Image.new("RGB", (50, 50))) < 0).all()
    tall = builtin.prepare(Image.new("RGB", (100, 200)))
    assert (tall[:, :, 0] == 1).all()  # 255
    assert (tall[:, :, 112] < 0).all()


def test_runs_without_torch():
    code = (
        "import sys; from ravl.encoders import load_encoder; e = load_encoder(); e.fingerprint; "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_odd_texts(builtin):
    texts = ["", "   ", "word " * 5000, "\ud800 lone surrogate", "狗", "😀" * 300, "\x00\x01"]
    vectors = builtin.embed_texts(texts)
    assert vectors.shape == (7, builtin.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_wide_features_stand_behind_the_stored_ones(builtin):
    prepared = [builtin.prepare(draw(i, colour)) for i, colour in enumerate(["red", "blue"])]
    found = builtin.wide_features(prepared)
    assert found.shape == (2, 1280 + builtin.wide_dimension)
    np.testing.assert_allclose(found[:, :1280], builtin.features(prepared), atol=1e-4)
    with torch.inference_mode():
        features, wide = efficientnet.WideNetwork().eval()(torch.from_numpy(np.stack(prepared)))
    np.testing.assert_allclose(found, np.hstack([features, wide]), atol=1e-3)
    assert builtin.wide_features([]).shape == (0, 1280 + builtin.wide_dimension)


def test_texts_have_wide_features_of_lower_layers(builtin):
    texts = ["a red ball", "two dogs run on a long beach"]
    found = builtin.wide_texts(texts)
    np.testing.assert_allclose(found[:, :640], builtin.embed_texts(texts), atol=1e-5)
    assert found.shape == (2, 640 + builtin.wide_text_dimension)
    alone = builtin.wide_texts(texts[:1])  # padding changes nothing
    np.testing.assert_allclose(found[:1], alone, atol=1e-4)
    assert builtin.wide_texts([]).shape == found[:0].shape
