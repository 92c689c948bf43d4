"""Finding and loading models: what is missing or wrong is said in a sentence."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

from ravl.encoders import Encoder, load_encoder
from ravl.encoders.base import probe_picture
from ravl.encoders.hf import HFEncoder
from ravl.encoders.hf_files import missing_files
from ravl.errors import EncoderError
from tests.encoders.tiny import FAMILIES, WIDTH, edit, hf

Folder = Callable[[str], Path]


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
    with pytest.raises(EncoderError, match=rf"Missing: {words}.*{file}.*Copy the missing files"):
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
    with pytest.raises(EncoderError, match=r"tokenizer in .* has \d tokens, its model 200"):
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
    with pytest.raises(EncoderError, match="of the kind 'bert'. It is not a dual encoder"):
        load_encoder(f"hf:{clip}")


def test_towers_that_do_not_meet(clip: Path, tiny_folder: Folder) -> None:
    config = hf.AutoConfig.from_pretrained(tiny_folder("siglip"))
    config.text_config.projection_size = 2 * WIDTH
    folder = Path(shutil.copytree(tiny_folder("siglip"), clip.parent / "siglip"))
    hf.SiglipModel(config).save_pretrained(folder)
    with pytest.raises(
        EncoderError, match=r"not a dual encoder: .* \(16,\) and its text vectors \(32,\)"
    ):
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


def test_loading_says_nothing(
    tiny_folder: Folder, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    before = hf.utils.logging.get_verbosity(), hf.utils.logging.is_progress_bar_enabled()
    folders = [tiny_folder(family) for family in FAMILIES]
    capfd.readouterr()  # what writing them said, where this test is the first to want them
    for folder in folders:
        encoder = load_encoder(f"hf:{folder}")
        encoder.embed_texts(["word " * 100])
        encoder.embed_pictures([probe_picture()])
    assert capfd.readouterr() == ("", "")
    assert [str(w.message) for w in recwarn] == []
    assert before == (hf.utils.logging.get_verbosity(), hf.utils.logging.is_progress_bar_enabled())
    assert logging.getLogger("transformers").level != logging.ERROR
