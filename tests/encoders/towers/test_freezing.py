from __future__ import annotations

import pytest
import torch
from torch import nn

from ravl.encoders.towers.freezing import Strategy, add_adapters, freeze, parse_strategy, trainable
from ravl.errors import DataError


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.below = nn.Linear(3, 4)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(5))
        self.norm = nn.LayerNorm(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.below(x)
        for layer in self.layers:
            x = layer(x)
        y: torch.Tensor = self.norm(x)
        return y


def learning(strategy: str) -> set[str]:
    tower = Tower()
    freeze(tower, list(tower.layers), [tower.norm], parse_strategy(strategy))
    return {name.removesuffix(".weight") for name, _ in trainable(tower) if "bias" not in name}


@pytest.mark.parametrize("text", ["head", "lora", "top:3", "full", " top:12 "])
def test_a_strategy_reads_as_it_is_written(text):
    assert str(parse_strategy(text)) == text.strip()


@pytest.mark.parametrize("text", ["", "top", "top:", "top:0", "top:-1", "top:2.5", "Full", "top:٣"])
def test_anything_else_is_refused_with_what_is_allowed(text):
    with pytest.raises(DataError, match="head, lora, full, or top:N") as caught:
        parse_strategy(text)
    assert repr(text) in str(caught.value)


def test_each_strategy_lets_its_layers_learn():
    everything = {"below", *(f"layers.{i}" for i in range(5)), "norm"}
    assert learning("head") == learning("lora") == set()
    assert learning("top:2") == {"layers.3", "layers.4", "norm"}
    assert learning("top:5") == everything - {"below"}
    assert learning("full") == everything


def test_depths():
    depths = [parse_strategy(s).depth(5) for s in ("head", "lora", "top:2", "full")]
    assert depths == [0, 3, 2, 5]


def test_more_layers_than_there_are():
    with pytest.raises(DataError, match="has 5. Use at most top:5, or full"):
        learning("top:6")


def test_adapters_change_nothing_at_first_and_are_the_same_each_time():
    x, towers = torch.randn(2, 3), []
    plain = Tower()
    for _ in range(2):
        tower = Tower()
        tower.load_state_dict(plain.state_dict())
        freeze(tower, list(tower.layers), [], Strategy("lora"))
        state = torch.get_rng_state()
        add_adapters(tower, ["layers.3", "layers.4"], rank=2)
        assert torch.equal(torch.get_rng_state(), state)
        towers.append(tower)
    torch.testing.assert_close(towers[0](x), plain(x))
    first, second = (dict(trainable(t)) for t in towers)
    assert len(first) == 4
    assert all("lora_" in name and torch.equal(p, second[name]) for name, p in first.items())
