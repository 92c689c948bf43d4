"""Encoders from transformers give the numbers of a direct computation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ravl.encoders import Encoder, load_encoder
from ravl.encoders.base import normalise, probe_picture
from ravl.encoders.hf import HFEncoder
from ravl.encoders.hf_batches import LARGEST_ON_CPU, fitting_batch, run_in_batches
from ravl.encoders.hf_patches import flat_patches, whole_picture
from ravl.errors import EncoderError
from tests.encoders.tiny import DIMENSION, FAMILIES, PATCH, SIDE, WIDTH, edit, hf, make

Folder = Callable[[str], Path]


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_as_transformers_computes_them(
    family: str, tiny_folder: Folder, tiny_encoder: Callable[[str], Encoder]
) -> None:
    folder, encoder = tiny_folder(family), tiny_encoder(family)
    model = hf.AutoModel.from_pretrained(folder).eval()
    processor = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    picture = probe_picture().crop((0, 0, 180, 180))
    inputs = processor(images=picture, return_tensors="pt")
    with torch.inference_mode():
        output = model.get_image_features(**inputs)
    np.testing.assert_allclose(
        encoder.features([encoder.prepare(picture)]), output.pooler_output, atol=1e-4
    )
    np.testing.assert_allclose(
        encoder.embed_pictures([picture]), normalise(output.pooler_output.numpy()), atol=1e-5
    )
    grid = encoder.patch_features([encoder.prepare(picture)])
    hidden = output.last_hidden_state.numpy()
    if family == "siglip2":
        count = int(inputs["pixel_attention_mask"].sum())
        assert 1 < count < 12
        np.testing.assert_allclose(grid[:, :count], hidden[:, :count], atol=1e-4)
        assert not grid[:, count:].any()
    else:
        assert grid.shape == (1, (SIDE // PATCH) ** 2, WIDTH)
        np.testing.assert_allclose(grid, hidden[:, -grid.shape[1] :], atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_as_transformers_computes_them(
    family: str, tiny_folder: Folder, tiny_encoder: Callable[[str], Encoder]
) -> None:
    folder, encoder = tiny_folder(family), tiny_encoder(family)
    model = hf.AutoModel.from_pretrained(folder).eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    text = "a red bench"
    full = {"padding": "max_length", "max_length": 16} if "siglip" in family else {}
    with torch.inference_mode():
        output = model.get_text_features(**tokenizer([text], return_tensors="pt", **full))
    np.testing.assert_allclose(
        encoder.embed_texts([text]), normalise(output.pooler_output.numpy()), atol=1e-5
    )


@pytest.mark.parametrize("family", ["siglip", "siglip2"])
def test_siglip_reads_lower_case(family: str, tiny_encoder: Callable[[str], Encoder]) -> None:
    upper, lower = tiny_encoder(family).embed_texts(["A RED Bench", "a red bench"])
    np.testing.assert_allclose(upper, lower, atol=1e-6)


def test_sizes(tiny_encoder: Callable[[str], Encoder]) -> None:
    encoder = tiny_encoder("clip")
    assert (encoder.dimension, encoder.feature_dimension) == (DIMENSION, DIMENSION)
    assert encoder.picture_size == SIDE
    assert encoder.batch_size == LARGEST_ON_CPU
    assert tiny_encoder("siglip").dimension == WIDTH


def test_a_folder_is_named_in_full(tiny_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_folder("clip")
    monkeypatch.chdir(folder.parent)
    assert load_encoder("hf:model").spec == f"hf:{folder.resolve()}"


def test_other_preprocessing_is_another_encoder(
    clip: Path, tiny_encoder: Callable[[str], Encoder]
) -> None:
    original = tiny_encoder("clip").fingerprint
    assert load_encoder(f"hf:{clip}").fingerprint.matches(original)
    edit(clip, "preprocessor_config.json", image_mean=[0.0, 0.0, 0.0])
    changed = load_encoder(f"hf:{clip}").fingerprint
    assert not changed.matches(original)
    assert not changed.same_vision(original)


def test_another_size_is_another_encoder(
    clip: Path, tiny_encoder: Callable[[str], Encoder]
) -> None:
    edit(clip, "preprocessor_config.json", size={"shortest_edge": 2 * SIDE})
    changed = load_encoder(f"hf:{clip}").fingerprint
    assert not changed.matches(tiny_encoder("clip").fingerprint)


def test_a_crop_that_the_weights_cannot_take(clip: Path) -> None:
    edit(clip, "preprocessor_config.json", crop_size={"height": 64, "width": 64})
    with pytest.raises(EncoderError, match=r"cannot encode a picture and a text.*belong to its"):
        load_encoder(f"hf:{clip}")


def test_memory_that_runs_out_halves_the_batch(
    tiny_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = HFEncoder(str(tiny_folder("clip")))
    prepared = [encoder.prepare(probe_picture().rotate(i)) for i in range(7)]
    expected = encoder.features(prepared)
    real = encoder._model.get_image_features
    sizes: list[int] = []

    def narrow(pixel_values: torch.Tensor) -> Any:
        sizes.append(len(pixel_values))
        if len(pixel_values) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return real(pixel_values=pixel_values)

    monkeypatch.setattr(encoder._model, "get_image_features", narrow)
    np.testing.assert_allclose(encoder.features(prepared), expected, atol=1e-4)
    assert sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert encoder.batch_size == 1


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_one_that_does_not_fit(error: Exception) -> None:
    def run(items: Sequence[int]) -> torch.Tensor:
        raise error

    with pytest.raises(EncoderError, match="does not fit in the free memory"):
        run_in_batches(run, [1, 2, 3], 2)


def test_other_errors_are_not_hidden() -> None:
    def run(items: Sequence[int]) -> torch.Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="multiplied"):
        run_in_batches(run, [1, 2, 3], 2)


def test_the_batch_depends_on_model_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    large = hf.SiglipVisionConfig(hidden_size=1152, intermediate_size=4304, num_attention_heads=16)
    monkeypatch.setattr("ravl.encoders.hf_batches._free_bytes", lambda _: 2 * 2**30)
    assert fitting_batch(hf.CLIPVisionConfig(), 50, cpu) == LARGEST_ON_CPU
    assert 1 < fitting_batch(large, 729, cpu) < 16
    monkeypatch.setattr("ravl.encoders.hf_batches._free_bytes", lambda _: 1)
    assert fitting_batch(large, 729, cpu) == 1


def test_patches_and_pictures_are_each_others_inverse() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.random((3, 16, 24), np.float32), rng.random((3, 8, 8), np.float32)]
    flat = flat_patches(pictures, 8, 9)
    assert flat["pixel_values"].shape == (2, 9, 192)
    assert flat["pixel_attention_mask"].sum(axis=1).tolist() == [6, 1]
    assert flat["spatial_shapes"].tolist() == [[2, 3], [1, 1]]
    np.testing.assert_array_equal(whole_picture(flat["pixel_values"][0], 2, 3), pictures[0])


def test_naflex_keeps_the_shape_of_pictures(tiny_encoder: Callable[[str], Encoder]) -> None:
    encoder = tiny_encoder("siglip2")
    wide = encoder.prepare(Image.new("RGB", (300, 100)))
    tall = encoder.prepare(Image.new("RGB", (100, 300)))
    assert wide.shape[2] > wide.shape[1]
    assert tall.shape == (3, wide.shape[2], wide.shape[1])


def test_very_long_pictures_are_cut_only_where_a_crop_would_do_it(
    tiny_encoder: Callable[[str], Encoder],
) -> None:
    long = Image.new("RGB", (4000, 20), "white")
    long.paste("black", (0, 0, 1000, 20))
    assert np.ptp(tiny_encoder("clip").prepare(long), axis=(1, 2)).max() < 1e-5
    assert np.ptp(tiny_encoder("siglip").prepare(long), axis=(1, 2)).min() > 1


def test_models_are_made_the_same_each_time(tmp_path: Path, tiny_folder: Folder) -> None:
    again = load_encoder(f"hf:{make('clip', tmp_path / 'again')}")
    assert again.fingerprint.matches(load_encoder(f"hf:{tiny_folder('clip')}").fingerprint)
