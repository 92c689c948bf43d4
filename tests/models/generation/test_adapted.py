from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from ravl.encoders.towers.freezing import Strategy
from ravl.errors import EncoderError
from ravl.models.generation.adapted import WEIGHTS, Adapted, fingerprint
from ravl.models.generation.hub import load_network


def adapted(folder: Path, strategy: str = "lora", **more: Any) -> Adapted:
    return Adapted(load_network(folder, AutoModelForCausalLM), Strategy(strategy), **more)  # type: ignore[arg-type]


def test_the_fingerprint_is_of_the_weights(gpt2: Path) -> None:
    model: Any = load_network(gpt2, AutoModelForCausalLM)
    first = fingerprint(model)
    assert fingerprint(load_network(gpt2, AutoModelForCausalLM)) == first
    assert adapted(gpt2).base == adapted(gpt2, "full").base == first
    with torch.no_grad():
        model.transformer.h[1].mlp.c_fc.weight += 1e-3
    assert fingerprint(model) != first


def test_adapters_start_without_effect(gpt2: Path) -> None:
    ids = torch.tensor([[1, 2, 3]])
    plain = load_network(gpt2, AutoModelForCausalLM)
    with torch.inference_mode():
        assert torch.allclose(plain(ids).logits, adapted(gpt2).language(ids).logits, atol=1e-5)


def test_learned_weights_go_to_a_file_and_back(gpt2: Path, tmp_path: Path) -> None:
    one, other = adapted(gpt2), adapted(gpt2)
    with torch.no_grad():
        for parameter in one.parameters():
            if parameter.requires_grad:
                parameter.add_(1)
    one.save_learned(tmp_path)
    other.load_learned(tmp_path)
    mine, theirs = one.state_dict(), other.state_dict()
    assert mine and all(torch.equal(v, theirs[k]) for k, v in mine.items())
    with pytest.raises(EncoderError, match="do not belong to this network"):
        adapted(gpt2, "full").load_learned(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"no")
    with pytest.raises(EncoderError, match="cannot be read"):
        other.load_learned(tmp_path)
    with pytest.raises(RuntimeError, match="missing"):
        one.load_state_dict({})


def test_padding_is_no_target(gpt2: Path) -> None:
    model = adapted(gpt2, "head")
    logits = torch.randn(1, 3, 5)
    loss = model.token_loss(logits, torch.tensor([[2, -100, 4]]))
    logs = logits[0].log_softmax(-1)
    assert float(loss) == pytest.approx(-float(logs[0, 2] + logs[2, 4]) / 2)
    smooth = adapted(gpt2, "head", smoothing=0.2).token_loss(logits, torch.tensor([[2, -100, 4]]))
    level = -float(logs[[0, 2]].mean())
    assert float(smooth) == pytest.approx(0.8 * float(loss) + 0.2 * level, rel=1e-5)
