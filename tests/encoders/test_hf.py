"""Encoders from transformers: the numbers of a direct computation, and sentences for the rest."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError
from PIL import Image

from ravl.encoders import Encoder, load_encoder
from ravl.encoders.base import normalise, probe_picture
from ravl.encoders.hf import HFEncoder
from ravl.encoders.hf_batches import LARGEST_ON_CPU, fitting_batch, run_in_batches
from ravl.encoders.hf_files import missing_files
from ravl.encoders.hf_patches import flat_patches, whole_picture
from ravl.errors import EncoderError
from tests.encoders.tiny import DIMENSION, FAMILIES, PATCH, SIDE, WIDTH, hf, make

Folder = Callable[[str], Path]


@pytest.fixture
def clip(tiny_folder: Folder, tmp_path: Path) -> Path:
    """The folder of a tiny CLIP that a test may change."""
    return Path(shutil.copytree(tiny_folder("clip"), tmp_path / "clip"))


def edit(folder: Path, file: str, **changes: object) -> None:
    data = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**data, **changes}))


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
    grid = encoder.grid([encoder.prepare(picture)])
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
    assert not changed.same_tower(original)


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


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("preprocessor_config.json", "the preprocessing of pictures"),
        ("tokenizer.json", "the tokenizer"),
        ("model.safetensors", "weights as safetensors"),
        ("config.json", "the configuration"),
    ],
)
def test_missing_files(clip: Path, file: str, words: str) -> None:
    (clip / file).unlink()
    with pytest.raises(EncoderError, match=rf"Missing: {words}.*{file}.*Copy what is missing"):
        load_encoder(f"hf:{clip}")


def test_all_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").touch()
    assert len(missing_files(tmp_path)) == 4
    with pytest.raises(EncoderError, match=r"pickled weights .* can run code"):
        load_encoder(f"hf:{tmp_path}")


def test_half_a_tokenizer(clip: Path) -> None:
    (clip / "tokenizer.json").rename(clip / "vocab.json")
    with pytest.raises(EncoderError, match=r"other half of the tokenizer .*merges\.txt"):
        load_encoder(f"hf:{clip}")


def test_a_tokenizer_that_does_not_find_its_words(tiny_folder: Folder, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder("siglip"), tmp_path / "siglip"))
    edit(folder, "tokenizer_config.json", tokenizer_class="GemmaTokenizer")
    (folder / "tokenizer.json").rename(folder / "spiece.model")  # Gemma's has another name
    with pytest.raises(EncoderError, match=r"tokenizer in .* knows \d tokens, its model 200"):
        load_encoder(f"hf:{folder}")


def test_preprocessing_inside_the_processors_file(
    clip: Path, tiny_encoder: Callable[[str], Encoder]
) -> None:
    inside = json.loads((clip / "preprocessor_config.json").read_text())
    (clip / "preprocessor_config.json").unlink()
    (clip / "processor_config.json").write_text("{}")
    with pytest.raises(EncoderError, match="the preprocessing of pictures"):
        load_encoder(f"hf:{clip}")
    (clip / "processor_config.json").write_text(json.dumps({"image_processor": inside}))
    fingerprint = load_encoder(f"hf:{clip}").fingerprint
    assert fingerprint.matches(tiny_encoder("clip").fingerprint)


def test_no_such_folder(tmp_path: Path) -> None:
    for name in (str(tmp_path / "none"), "./none", "~/none/at/all", "a/b/c", "C:\\models\\clip"):
        with pytest.raises(EncoderError, match="does not exist"):
            HFEncoder(name)
    (tmp_path / "file.safetensors").touch()
    with pytest.raises(EncoderError, match="is a file"):
        HFEncoder(str(tmp_path / "file.safetensors"))


def test_a_model_that_is_no_dual_encoder(clip: Path, tiny_folder: Folder) -> None:
    config = hf.BertConfig(vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    hf.BertModel(config).save_pretrained(clip)
    with pytest.raises(EncoderError, match="of the kind 'bert', not a dual encoder"):
        load_encoder(f"hf:{clip}")


def test_towers_that_do_not_meet(clip: Path, tiny_folder: Folder) -> None:
    config = hf.AutoConfig.from_pretrained(tiny_folder("siglip"))
    config.text_config.projection_size = 2 * WIDTH
    folder = Path(shutil.copytree(tiny_folder("siglip"), clip.parent / "siglip"))
    hf.SiglipModel(config).save_pretrained(folder)
    with pytest.raises(EncoderError, match=r"not a dual encoder: .* \(16,\) and texts of \(32,\)"):
        load_encoder(f"hf:{folder}")


def test_weights_that_do_not_fill_the_model(clip: Path) -> None:
    config = json.loads((clip / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 3
    edit(clip, "config.json", **config)
    with pytest.raises(EncoderError, match=r"lack 16 arrays of a 'clip' model"):
        load_encoder(f"hf:{clip}")


def test_broken_files(clip: Path) -> None:
    weights = (clip / "model.safetensors").read_bytes()
    (clip / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(f"hf:{clip}")
    (clip / "config.json").write_text("{")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(f"hf:{clip}")
    (clip / "config.json").write_text('{"model_type": "from the future"}')
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(f"hf:{clip}")


def test_code_that_comes_with_a_model_is_never_run(clip: Path) -> None:
    trap = clip.parent / "trapped"
    code = f"from pathlib import Path\nPath({str(trap)!r}).touch()\nclass Trap: pass\n"
    (clip / "trap.py").write_text(code)
    for file, kind in {
        "config.json": "AutoConfig",
        "preprocessor_config.json": "AutoImageProcessor",
        "tokenizer_config.json": "AutoTokenizer",
    }.items():
        saved = (clip / file).read_text()
        entry = ["trap.Trap", None] if kind == "AutoTokenizer" else "trap.Trap"
        edit(clip, file, auto_map={kind: entry, "AutoModel": "trap.Trap"}, model_type="trap")
        if file != "config.json":
            edit(clip, file, image_processor_type="Trap", tokenizer_class="Trap")
        try:
            load_encoder(f"hf:{clip}")
        except EncoderError as error:
            assert "cannot be loaded" in str(error)  # noqa: PT017 -- ours may also be used
        (clip / file).write_text(saved)
    assert not trap.exists()
    assert "trap" not in sys.modules


class Hub:
    """Stands in for `snapshot_download`."""

    def __init__(self, *answers: Path | Exception) -> None:
        self.answers = list(answers)
        self.local: list[bool] = []

    def __call__(self, name: str, *, local_files_only: bool, **_: object) -> str:
        self.local.append(local_files_only)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hub]:
    def answering(*answers: Path | Exception) -> Hub:
        stand_in = Hub(*answers)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", stand_in)
        return stand_in

    return answering


def test_the_hubs_cache_is_asked_first(hub: Callable[..., Hub], tiny_folder: Folder) -> None:
    asked = hub(tiny_folder("clip"))
    assert load_encoder("hf:someone/clip").spec == "hf:someone/clip"
    assert asked.local == [True]
    asked = hub(LocalEntryNotFoundError("not cached"), tiny_folder("clip"))
    load_encoder("hf:someone/clip")
    assert asked.local == [True, False]


def test_a_cached_model_without_its_preprocessing_is_fetched_again(
    hub: Callable[..., Hub], tiny_folder: Folder, clip: Path
) -> None:
    (clip / "preprocessor_config.json").unlink()
    asked = hub(clip, tiny_folder("clip"))
    load_encoder("hf:someone/clip")
    assert asked.local == [True, False]
    hub(clip, clip)
    with pytest.raises(EncoderError, match="the preprocessing of pictures"):
        load_encoder("hf:someone/clip")


def test_a_hub_that_cannot_be_reached(hub: Callable[..., Hub]) -> None:
    hub(LocalEntryNotFoundError("no"), ConnectionError("Name or service not known"))
    with pytest.raises(EncoderError, match="cannot be reached") as caught:
        load_encoder("hf:openai/clip-vit-base-patch32")
    assert "hf:/path/to/folder" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


class NoSuchRepositoryError(RepositoryNotFoundError):
    def __init__(self) -> None:  # the real one wants the response of a server
        Exception.__init__(self, "404")


def test_a_hub_without_that_model(hub: Callable[..., Hub]) -> None:
    hub(LocalEntryNotFoundError("no"), NoSuchRepositoryError())
    with pytest.raises(EncoderError, match="The hub has no model 'openai/klip'"):
        load_encoder("hf:openai/klip")


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

    with pytest.raises(EncoderError, match="does not fit the free memory"):
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


def test_loading_says_nothing(
    tiny_folder: Folder, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    before = hf.utils.logging.get_verbosity(), hf.utils.logging.is_progress_bar_enabled()
    for family in FAMILIES:
        encoder = load_encoder(f"hf:{tiny_folder(family)}")
        encoder.embed_texts(["word " * 100])
        encoder.embed_pictures([probe_picture()])
    assert capfd.readouterr() == ("", "")
    assert [str(w.message) for w in recwarn] == []
    assert before == (hf.utils.logging.get_verbosity(), hf.utils.logging.is_progress_bar_enabled())
    assert logging.getLogger("transformers").level != logging.ERROR


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
