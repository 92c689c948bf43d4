from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from ravl.encoders import Encoder, load_encoder
from ravl.encoders.heads import gelu
from ravl.encoders.trained import SETTINGS, WEIGHTS, Head, TrainedEncoder
from ravl.errors import EncoderError, EncoderMismatchError
from tests.helpers import ColourEncoder, draw, random_head, trained_on

PICTURES = [draw(i, colour) for i, colour in enumerate(["red", "green", "blue", "white"])]
TEXTS = ["a red picture", "green", "something else"]


def edited(parts: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    settings = json.loads(parts[SETTINGS])
    kept = {k: v for k, v in {**settings, **changes}.items() if v is not None}
    return {**parts, SETTINGS: json.dumps(kept).encode()}


# --- the heads ---------------------------------------------------------------------------------


def test_gelu_is_that_of_torch():
    x = np.concatenate([np.linspace(-12, 12, 20_001), np.linspace(-0.01, 0.01, 999), [-1e4, 1e4]])
    exact = torch.nn.functional.gelu(torch.tensor(x)).numpy()
    small = np.abs(x) < 12.1
    assert np.abs(gelu(x) - exact)[small].max() < 1e-6
    np.testing.assert_array_equal(gelu(x)[~small], exact[~small].astype(np.float32))
    assert gelu(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("hidden", [0, 5])
@pytest.mark.parametrize("power", [1.0, 0.5])
def test_a_head_is_what_torch_computes(hidden, power):
    rng = np.random.default_rng(1)
    arrays = {
        "mean": rng.normal(size=12),
        "scale": rng.uniform(0.5, 2, 12),
        "bias": rng.normal(size=32),
    }
    given = {name: value.astype(np.float32) for name, value in arrays.items()}
    head = Head.from_arrays(random_head(12, hidden=hidden).arrays() | given, power)
    x = torch.tensor(rng.normal(size=(7, 12)), dtype=torch.float64)
    w = {name: torch.tensor(value, dtype=torch.float64) for name, value in head.arrays().items()}
    z = (x.sign() * x.abs() ** power - w["mean"]) / w["scale"]
    y = z @ w["weight"].T + w["bias"]
    if hidden:
        inner = torch.nn.functional.gelu(z @ w["hidden_weight"].T + w["hidden_bias"])
        y = y + inner @ w["out_weight"].T
    expected = torch.nn.functional.normalize(y, dim=1).numpy()
    found = head(x.numpy().astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_head_of_nothing():
    assert random_head(12, hidden=3)(np.zeros((0, 12), np.float32)).shape == (0, 32)
    assert np.isfinite(random_head(12)(np.zeros((1, 12), np.float32))).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mean": np.zeros(11)}, r"do not fit together: they are mean \(11,\)"),
        ({"bias": np.zeros(31)}, "do not fit together"),
        ({"bias": np.zeros((32, 1))}, "do not fit together"),
        ({"bias": np.float32(1)}, "do not fit together"),
        ({"out_weight": None}, "do not fit together"),
        ({"hidden_bias": None}, "do not fit together"),
        ({"weight": np.full((32, 12), np.nan)}, "not finite in weight"),
        ({"scale": np.zeros(12)}, "must be above 0"),
        ({"power": 0.0}, "must be above 0"),
        ({"power": float("nan")}, "must be above 0"),
    ],
)
def test_a_head_that_cannot_work_is_refused(changes, sentence):
    with pytest.raises(EncoderError, match=sentence):
        replace(random_head(12, hidden=3), **changes)


# --- the encoder -------------------------------------------------------------------------------


def test_texts_meet_pictures_in_the_trained_part_and_pictures_meet_in_both():
    base = ColourEncoder()
    encoder = trained_on(base, share=0.3)
    assert encoder.dimension == 32 + 48
    pictures, texts = encoder.embed_pictures(PICTURES), encoder.embed_texts(TEXTS)
    features = base.features([base.prepare(p) for p in PICTURES])
    trained = encoder.picture_head(features)
    meaning = encoder.text_head(base.embed_texts(TEXTS))
    own = base.project(features)
    np.testing.assert_allclose(texts @ pictures.T, 0.3**0.5 * meaning @ trained.T, atol=1e-5)
    both = 0.3 * trained @ trained.T + 0.7 * own @ own.T
    np.testing.assert_allclose(pictures @ pictures.T, both, atol=1e-5)
    assert not texts[:, 32:].any()


def test_with_a_share_of_one_only_the_trained_part_is_left():
    encoder = trained_on(ColourEncoder(), share=1.0)
    assert encoder.dimension == 32
    assert encoder.embed_pictures(PICTURES).shape == (4, 32)
    assert encoder.embed_texts(TEXTS).shape == (3, 32)
    assert len(encoder.fingerprint.picture) == 32


def test_all_else_is_the_base_s(builtin):
    encoder = trained_on(builtin)
    assert (encoder.batch_size, encoder.picture_size) == (builtin.batch_size, 224)
    assert encoder.feature_dimension == 1280
    assert encoder.supports_language("a dog") and not encoder.supports_language("一只狗")
    prepared = [encoder.prepare(p) for p in PICTURES[:2]]
    np.testing.assert_array_equal(
        encoder.patch_features(prepared), builtin.patch_features(prepared)
    )
    assert encoder.fingerprint.same_vision(builtin.fingerprint)
    assert not encoder.fingerprint.matches(builtin.fingerprint)


def test_the_name_tells_trained_encoders_apart():
    specs = {
        trained_on(ColourEncoder(), **options).spec
        for options in ({}, {"seed": 1}, {"share": 0.4}, {"share": 1.0}, {"hidden": 3})
    }
    assert len(specs) == 5
    assert all(len(s) == 20 and s.startswith("trained:") for s in specs)
    one, two = trained_on(ColourEncoder()), trained_on(ColourEncoder())
    assert one.spec == two.spec
    assert one.fingerprint.matches(two.fingerprint)


def test_a_little_more_training_makes_another_encoder():
    one = trained_on(ColourEncoder())
    nudged = replace(one.picture_head, bias=one.picture_head.bias + np.float32(1e-4))
    two = TrainedEncoder(one.base, nudged, one.text_head, one.share)
    assert not two.fingerprint.matches(one.fingerprint)


def test_texts_keep_a_share_of_the_base():
    base = ColourEncoder()
    encoder = trained_on(base, share=0.5, text_share=0.36)
    d = encoder.text_head.dimension
    own = base.embed_texts(TEXTS)
    vectors = encoder.embed_texts(TEXTS)
    np.testing.assert_allclose(vectors[:, :d], 0.6 * encoder.text_head(own), atol=1e-6)
    np.testing.assert_allclose(vectors[:, d:], 0.8 * own, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    features = base.features([base.prepare(p) for p in PICTURES])
    trained = encoder.text_head(own) @ encoder.picture_head(features).T
    expected = np.sqrt(0.5) * (0.6 * trained + 0.8 * own @ base.project(features).T)
    scores = vectors @ encoder.embed_pictures(PICTURES).T
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    again = TrainedEncoder.from_state(encoder.state(), base)
    assert (again.text_share, again.spec) == (0.36, encoder.spec)
    with pytest.raises(EncoderError, match="text_share must be 1, too"):
        trained_on(base, share=1.0, text_share=0.5)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_must_be_one(share):
    with pytest.raises(EncoderError, match="share must be above 0 and at most 1"):
        trained_on(ColourEncoder(), share=share)


def test_heads_must_fit_the_base_and_each_other():
    base, fits = ColourEncoder(), random_head(48)
    with pytest.raises(EncoderError, match="take 12 picture features .* 'colour' has 48"):
        TrainedEncoder(base, random_head(12), fits, 0.5)
    with pytest.raises(EncoderError, match="text vectors of 12 dimensions"):
        TrainedEncoder(base, fits, random_head(12), 0.5)
    with pytest.raises(
        EncoderError, match="do not fit together: .* 32 dimensions, the text head 16"
    ):
        TrainedEncoder(base, fits, random_head(48, dimension=16), 0.5)


def test_no_heads_on_heads():
    with pytest.raises(EncoderError, match="cannot be a trained encoder itself. Train from"):
        trained_on(trained_on(ColourEncoder()))


# --- keeping it --------------------------------------------------------------------------------


def assert_same(a: Encoder, b: Encoder) -> None:
    assert a.spec == b.spec
    np.testing.assert_array_equal(a.embed_pictures(PICTURES), b.embed_pictures(PICTURES))
    np.testing.assert_array_equal(a.embed_texts(TEXTS), b.embed_texts(TEXTS))


@pytest.mark.parametrize("hidden", [0, 5])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_parts_make_it_again(hidden, share):
    encoder = trained_on(ColourEncoder(), share=share, hidden=hidden)
    again = TrainedEncoder.from_state(encoder.state(), ColourEncoder())
    assert_same(again, encoder)
    assert again.state() == encoder.state()


def test_powers_are_kept():
    base = ColourEncoder()
    picture, text = replace(random_head(48), power=0.5), replace(random_head(48), power=0.7)
    encoder = TrainedEncoder(base, picture, text, 0.5)
    assert encoder.spec != trained_on(base).spec
    again = TrainedEncoder.from_state(encoder.state(), base)
    assert (again.picture_head.power, again.text_head.power) == (0.5, 0.7)
    assert_same(again, encoder)


def test_a_base_of_another_name_keeps_the_encoder_s_name():
    class Moved(ColourEncoder):
        spec = "colour in another folder"

    encoder = trained_on(ColourEncoder())
    again = TrainedEncoder.from_state(encoder.state(), Moved())
    assert_same(again, encoder)
    assert again.state() == encoder.state()


@pytest.mark.parametrize("sub", ["", "encoder"])
def test_a_run_s_folder(builtin, tmp_path, sub):
    encoder = trained_on(builtin)
    encoder.save(tmp_path / "run" / sub)
    encoder.save(tmp_path / "run" / sub)  # again, over the old files
    assert {p.name for p in (tmp_path / "run" / sub).iterdir()} == {SETTINGS, WEIGHTS}
    assert_same(load_encoder(f"run:{tmp_path / 'run'}"), encoder)


def test_loading_a_run_imports_no_torch(builtin, tmp_path):
    trained_on(builtin, hidden=4).save(tmp_path)
    code = (
        "import sys; from ravl.encoders import load_encoder; "
        f"e = load_encoder('run:{tmp_path}'); e.fingerprint; e.embed_texts(['a dog']); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_loading_that_cannot_work_is_a_sentence(tmp_path):
    with pytest.raises(EncoderError, match="no trained encoder in .* neither encoder.json nor"):
        load_encoder(f"run:{tmp_path}")
    with pytest.raises(EncoderError, match="by its name alone. .* 'run:FOLDER'"):
        load_encoder("trained:0123456789ab")
    with pytest.raises(EncoderError, match="'run:' cannot be loaded by its name alone"):
        load_encoder("run:")
    trained_on(ColourEncoder()).save(tmp_path)
    with pytest.raises(EncoderError, match="The base 'colour' of the trained encoder cannot be"):
        load_encoder(f"run:{tmp_path}")
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(EncoderError, match=f"lacks its file {WEIGHTS}. .In {tmp_path}"):
        TrainedEncoder.load(tmp_path, ColourEncoder())


def test_a_base_that_computes_something_else_is_refused(tmp_path):
    parts = trained_on(ColourEncoder()).state()
    for other in (ColourEncoder(mirror=True), ColourEncoder(turn=3)):
        with pytest.raises(EncoderMismatchError, match="belong to the base encoder 'colour'"):
            TrainedEncoder.from_state(parts, other)
    trained_on(ColourEncoder()).save(tmp_path)
    with pytest.raises(EncoderMismatchError, match="train again. .In "):
        TrainedEncoder.load(tmp_path, ColourEncoder(mirror=True))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": 4}, "newer ravl .format 4; this one reads up to 3.*pip install --upgrade"),
        ({"format": None}, "encoder.json of the trained encoder is damaged"),
        ({"format": "x"}, "encoder.json of the trained encoder is damaged"),
        ({"share": None}, "encoder.json of the trained encoder is damaged"),
        ({"fingerprint": {"spec": "colour"}}, "fingerprint of an encoder is damaged"),
        ({"fingerprint": 7}, "fingerprint of an encoder is damaged"),
        ({"share": 2}, "share must be above 0"),
        ({"share": 0.4}, "do not belong together"),
    ],
)
def test_damaged_settings_are_a_sentence(changes, sentence):
    parts = edited(trained_on(ColourEncoder()).state(), **changes)
    with pytest.raises(EncoderError, match=sentence):
        TrainedEncoder.from_state(parts, ColourEncoder())


@pytest.mark.parametrize("settings", [b"", b"[]", b"null", b"\xff", b"{"])
def test_settings_of_another_kind_are_a_sentence(settings):
    parts = {**trained_on(ColourEncoder()).state(), SETTINGS: settings}
    with pytest.raises(EncoderError, match="damaged"):
        TrainedEncoder.from_state(parts, ColourEncoder())


def test_a_trained_base_in_the_settings_is_refused():
    parts = edited(trained_on(ColourEncoder()).state(), base="trained:0123456789ab")
    with pytest.raises(EncoderError, match="cannot be a trained encoder itself"):
        TrainedEncoder.from_state(parts)


def test_damaged_weights_are_a_sentence():
    parts = trained_on(ColourEncoder()).state()
    base, arrays = ColourEncoder(), load(parts[WEIGHTS])

    def fails(weights: bytes, sentence: str) -> None:
        with pytest.raises(EncoderError, match=sentence):
            TrainedEncoder.from_state({**parts, WEIGHTS: weights}, base)

    fails(b"", "encoder.safetensors of the trained encoder is damaged")
    fails(parts[WEIGHTS][:-5], "encoder.safetensors of the trained encoder is damaged")
    fails(b"\x80\x04pickle" * 9, "encoder.safetensors of the trained encoder is damaged")
    fails(save({k: v for k, v in arrays.items() if k != "text.bias"}), "lacks bias")
    fails(save({**arrays, "text.bias": np.zeros(3, np.float32)}), "do not fit together")
    fails(trained_on(base, seed=1).state()[WEIGHTS], "do not belong together")
