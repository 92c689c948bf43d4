from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from ravl.errors import EncoderError
from ravl.models.generation.causal import CausalGenerator
from ravl.models.generation.chat import ChatGenerator
from ravl.models.generation.loading import load_generator
from ravl.models.generation.server import ServerGenerator
from tests.models.generation.tiny import FEATURES
from tests.training.tiny_bert import tiny_bert


def test_the_architecture_decides(gpt2: Path, llava: Path, idefics3: Path) -> None:
    assert isinstance(load_generator(f"hf:{gpt2}", features=3), CausalGenerator)
    assert isinstance(load_generator(f"hf:{llava}"), ChatGenerator)
    assert isinstance(load_generator(f"hf:{idefics3}", evidence=2), ChatGenerator)
    served = load_generator("openai:http://localhost:1/v1#tiny", evidence=1, constrain=None)
    assert isinstance(served, ServerGenerator) and served.evidence == 1
    assert served.spec == "openai:http://localhost:1/v1#tiny"
    assert load_generator(f"hf:{gpt2}").spec == f"hf:{gpt2}"


def test_a_trained_one_is_loaded_from_its_folder(gpt2: Path, llava: Path, tmp_path: Path) -> None:
    CausalGenerator(str(gpt2), features=FEATURES).save(tmp_path / "causal")
    ChatGenerator(str(llava), strategy="lora").save(tmp_path / "chat")
    causal = load_generator(f"hf:{tmp_path / 'causal'}", evidence=1)
    assert isinstance(causal, CausalGenerator)
    assert causal.features == FEATURES and causal.evidence == 1
    assert isinstance(load_generator(f"hf:{tmp_path / 'chat'}"), ChatGenerator)
    file = tmp_path / "chat" / "generator.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps({**settings, "format": 99}))
    with pytest.raises(EncoderError, match="newer ravl"):
        load_generator(f"hf:{tmp_path / 'chat'}")
    with pytest.raises(EncoderError, match="of the kind 'causal', not 'chat'"):
        ChatGenerator.load(tmp_path / "causal")
    for wrong in ("{", "[]", '{"format": 1}'):
        file.write_text(wrong)
        with pytest.raises(EncoderError, match="not the file of a trained generator"):
            load_generator(f"hf:{tmp_path / 'chat'}")


@pytest.mark.parametrize("spec", ["", "gpt2", "hf:", "openai:", "other:x"])
def test_unknown_names(spec: str) -> None:
    with pytest.raises(EncoderError, match="There is no generator"):
        load_generator(spec)


def test_models_that_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is BertModel, which writes no text"):
        load_generator(f"hf:{tiny_bert(tmp_path)}")


def test_folders_that_are_no_model(tmp_path: Path, gpt2: Path) -> None:
    with pytest.raises(EncoderError, match="The configuration in .* cannot be loaded"):
        load_generator(f"hf:{tmp_path}")
    with pytest.raises(EncoderError, match="does not exist"):
        load_generator(f"hf:{tmp_path}/none")
    with pytest.raises(EncoderError, match="is a file"):
        load_generator(f"hf:{gpt2 / 'config.json'}")


def test_missing_weights(gpt2: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(gpt2, tmp_path / "copy"))
    state = load_file(copy / "model.safetensors")
    save_file(
        {k: v for k, v in state.items() if "h.1.mlp" not in k},
        copy / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(EncoderError, match="lack 4 arrays of a 'gpt2' model"):
        load_generator(f"hf:{copy}")
    (copy / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="The model in .* cannot be loaded"):
        load_generator(f"hf:{copy}")
    (copy / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match="The tokenizer in .* cannot be loaded"):
        load_generator(f"hf:{copy}")


def test_pickled_weights_are_not_loaded(gpt2: Path, tmp_path: Path) -> None:
    import torch

    copy = Path(shutil.copytree(gpt2, tmp_path / "copy"))
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_generator(f"hf:{copy}")


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def no_network(*_: object, **__: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", no_network)
    with pytest.raises(EncoderError, match="could not be fetched .*no route to host"):
        load_generator("hf:openai-community/gpt2")


def test_a_server_needs_no_network_library() -> None:
    code = (
        "import sys; from ravl.models.generation.loading import load_generator;"
        "load_generator('openai:http://localhost:1/v1');"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
