from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ravl.encoders.towers.freezing import Strategy
from ravl.models.generation.hub import load_network
from ravl.models.generation.prefix import IGNORED, PrefixModel, padded_ids


@pytest.fixture
def model(gpt2: Path) -> PrefixModel:
    from transformers import AutoModelForCausalLM

    language = load_network(gpt2, AutoModelForCausalLM)
    return PrefixModel(language, Strategy("head"), features=6, tokens=3, begin=7)


def test_beginning_picture_prompt_with_padding_on_the_left(model: PrefixModel) -> None:
    prompts = padded_ids([[1, 2, 3, 4], [5]])
    assert prompts.tolist() == [[1, 2, 3, 4], [5, IGNORED, IGNORED, IGNORED]]
    embeds, seen = model.embedded(prompts, torch.randn(2, 6))
    assert embeds.shape == (2, 8, 32)
    assert seen.tolist() == [[1] * 8, [0, 0, 0, 1, 1, 1, 1, 1]]
    words = model.language.get_input_embeddings().weight
    assert torch.equal(embeds[1, 3], words[7]) and torch.equal(embeds[1, -1], words[5])
    assert torch.equal(embeds[0, -4:], words[1:5])
    assert (embeds[1, :3] == 0).all()


@torch.inference_mode()
def test_picture_tokens_are_of_the_size_of_words(model: PrefixModel) -> None:
    embeds, _ = model.embedded(padded_ids([[1]]), 100 * torch.randn(1, 6))
    words = model.language.get_input_embeddings().weight
    assert float(embeds[0, 1:4].std()) == pytest.approx(float(words.std()), rel=0.1)


def test_the_projection_is_the_same_each_time(gpt2: Path, model: PrefixModel) -> None:
    again = PrefixModel(model.language, Strategy("head"), features=6, tokens=3)
    assert torch.equal(again.picture.weight, model.picture.weight)


def test_gradients_reach_the_projection_alone(model: PrefixModel) -> None:
    loss = model(padded_ids([[1, 2], [3]]), padded_ids([[4], [5, 6]]), torch.randn(2, 6))["loss"]
    loss.backward()
    learned = {n for n, p in model.named_parameters() if p.grad is not None}
    assert learned == {"picture.weight", "picture.bias", "norm.weight", "norm.bias"}
    assert float(model.picture.weight.grad.abs().sum()) > 0  # type: ignore[union-attr]


def test_without_features_nothing_is_added(gpt2: Path, model: PrefixModel) -> None:
    plain = PrefixModel(model.language, Strategy("head"), features=0)
    embeds, _ = plain.embedded(padded_ids([[1, 2]]))
    assert embeds.shape == (1, 2, 32) and not list(plain.state_dict())
