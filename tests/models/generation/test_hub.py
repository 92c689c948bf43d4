from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import huggingface_hub
import pytest
import torch
from transformers import AutoModelForCausalLM

from ravl.models.generation.base import Decoding
from ravl.models.generation.chat import ChatGenerator
from ravl.models.generation.hub import found_folder, load_network, load_processor
from tests.models.generation.tiny import requests, tiny_qwen2_vl


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen2_vl(tmp_path_factory.mktemp("qwen"))


def test_a_processor_of_videos_needs_no_torchvision(qwen: Path) -> None:
    processor = load_processor(qwen)
    assert type(processor).__name__ == "Qwen2VLProcessor"
    assert type(processor.image_processor).__name__.endswith("Pil")
    assert processor.chat_template == processor.tokenizer.chat_template
    assert find_spec("torchvision") or not hasattr(processor.video_processor, "preprocess")


def test_such_a_model_writes_and_learns(qwen: Path) -> None:
    generator = ChatGenerator(str(qwen), strategy="lora")
    asked = requests(3)
    asked[1] = replace(asked[1], evidence_items=(), open_picture=None)
    how = Decoding(num_beams=2, max_new_tokens=6)
    found = generator(asked, how)
    assert [c[0].text for c in found] == [generator([r], how)[0][0].text for r in asked]
    loss = generator.network(**generator.collate(asked, ["a", "red dog", "b"]))["loss"]
    loss.backward()
    learned = [n for n, p in generator.network.named_parameters() if p.grad is not None]
    assert learned and all("lora" in n and "language_model" in n for n in learned)


def test_pixels_are_made_by_pillow(llava: Path, idefics3: Path) -> None:
    for folder in (llava, idefics3):
        assert type(load_processor(folder).image_processor).__name__.endswith("Pil")


def test_a_network_is_ready(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_network(gpt2, AutoModelForCausalLM)
    assert not model.training and model.dtype == torch.float32
    assert found_folder(str(gpt2)) == gpt2.resolve()
    monkeypatch.setenv("HOME", str(gpt2.parent))
    assert found_folder(f"~/{gpt2.name}") == gpt2.resolve()


def test_a_whole_model_in_the_cache_is_taken_as_it_is(
    gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    kept = Path(shutil.copytree(gpt2, tmp_path / "kept"))

    def snapshot(_: str, local_files_only: bool = False, **more: object) -> str:
        asked.append(local_files_only)
        return str(kept)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert found_folder("some/model") == kept and asked == [True]
    for missing in ("tokenizer.json", "model.safetensors", "config.json"):
        (kept / missing).rename(tmp_path / "aside")
        asked.clear()
        assert found_folder("some/model") == kept and asked == [True, False]
        (tmp_path / "aside").rename(kept / missing)
    shards = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (kept / "model.safetensors.index.json").write_text(json.dumps(shards))
    asked.clear()
    assert found_folder("some/model") == kept and asked == [True, False]
