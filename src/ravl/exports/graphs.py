"""The networks of a run as graphs of tensors: what is exported, with example inputs.

Wrappers alone: each computes what the network computes when it answers, without what depends on
the values of a batch. Texts that are not there are zeros, and neighbours that are not there are
masked, so that one graph serves all cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedConfig, PreTrainedModel

from ravl.encoders.base import probe_picture
from ravl.models.fusion import FusionEncoder, FusionModel
from ravl.models.generation.decoder import add_copy_prior
from ravl.runtime.names import NEAR

if TYPE_CHECKING:
    from ravl.encoders.towers.vision import VisionTower
    from ravl.models.generation.network import GeneratorModel

M = TypeVar("M", bound=nn.Module)
Axes = dict[int, str]
BATCH, WORDS, ROWS, PAST, READ = 3, 5, 3, 4, 11  # sizes of the examples; 1 would become a constant


@dataclass(frozen=True)
class Graph:
    """What is exported.

    Args:
        name: of its file, without the ending.
        module: from the inputs in their order to the outputs in theirs.
        inputs: examples by name.
        outputs: names.
        axes: of each input, the sizes that may change, by name.
    """

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]
    axes: dict[str, Axes]


class _Reading(nn.Module):
    """A fusion encoder whose inputs have an order."""

    def __init__(self, encoder: FusionEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def read(
        self, features: Tensor, tokens: Tensor, rest: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        """States (b, s, H), and which of them are there (b, s)."""
        config = self.encoder.config
        neighbours = _named(rest) if config.evidence else None
        regions = rest[-1] if config.regions else None
        return self.encoder.read(features, tokens, neighbours, regions)


class FusionGraph(_Reading):
    """Features, base, tokens and neighbours to logits (b, C)."""

    encoder: FusionModel

    def forward(self, features: Tensor, base: Tensor, tokens: Tensor, *rest: Tensor) -> Tensor:
        """See :class:`ravl.models.fusion.FusionModel`."""
        pooled = self.read(features, tokens, rest)[0][:, 0]
        logits: Tensor = self.encoder.base(base) + self.encoder.out(pooled)
        return logits


class ReadGraph(_Reading):
    """What the decoder needs to know of a request: keys and values of all that was read."""

    def __init__(self, model: GeneratorModel) -> None:
        super().__init__(model.encoder)
        layers = [layer.crossattention.self for layer in model.decoder.bert.encoder.layer]
        self.layers: Any = nn.ModuleList(layers)

    def forward(self, features: Tensor, tokens: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (b, L, 2, heads, s, d) and which tokens are there (b, s)."""
        states, there = self.read(features, tokens, rest)
        parts = [
            _heads(part(states), layer)
            for layer in self.layers
            for part in (layer.key, layer.value)
        ]
        b, heads, s, d = parts[0].shape
        return torch.stack(parts, 1).view(b, len(self.layers), 2, heads, s, d), there


class StepGraph(nn.Module):
    """The decoder: ids that go on from a past, to logits and the past with them."""

    def __init__(self, model: GeneratorModel) -> None:
        super().__init__()
        self.decoder = model.decoder
        self.count = len(model.decoder.bert.encoder.layer)

    def forward(
        self, ids: Tensor, past: Tensor, read: Tensor, there: Tensor, prior: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits (b, l, W) and the past (b, L, 2, heads, p + l, d)."""
        own: Any = DynamicCache()
        other: Any = DynamicCache()
        for i in range(self.count):
            own.update(past[:, i, 0], past[:, i, 1], i)
            other.update(read[:, i, 0], read[:, i, 1], i)
        cache = EncoderDecoderCache(own, other)
        cache.is_updated = dict.fromkeys(range(self.count), True)
        states = (
            read[:, 0, 0].transpose(1, 2).flatten(2)
        )  # (b, s, H): its length is all that counts
        hidden = self.decoder.bert(
            input_ids=ids,
            encoder_hidden_states=states,
            encoder_attention_mask=there.long(),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        with add_copy_prior(prior):
            logits = self.decoder.cls(hidden)
        parts = [torch.stack([layer.keys, layer.values], 1) for layer in own.layers]
        return logits, torch.stack(parts, 1)


def fusion_graph(model: FusionModel) -> Graph:
    """Of a :class:`ravl.models.fusion.FusionModel`."""
    config = model.config
    inputs, axes = _reading(config)
    base = torch.randn(BATCH, config.base, generator=_chance())
    inputs = {"features": inputs.pop("features"), "base": base, **inputs}
    axes["base"] = {0: "b"}
    return Graph("fusion", FusionGraph(_plain(model)).eval(), inputs, ("logits",), axes)


def generator_graphs(model: GeneratorModel) -> tuple[Graph, Graph]:
    """What reads and what writes, of a :class:`ravl.models.generation.network.GeneratorModel`."""
    config, chance = model.decoder.config, _chance()
    _plain(model.encoder), _plain(model.decoder)
    inputs, axes = _reading(model.encoder.config)
    reading = Graph("read", ReadGraph(model).eval(), inputs, ("read", "there"), axes)
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    shape = (BATCH, layers, 2, heads)
    size = config.hidden_size // heads
    step = {
        "ids": torch.randint(3, config.vocab_size, (BATCH, 2), generator=chance),
        "past": torch.randn(*shape, PAST, size, generator=chance),
        "read": torch.randn(*shape, READ, size, generator=chance),
        "there": torch.ones(BATCH, READ, dtype=torch.bool),
        "prior": torch.rand(BATCH, config.vocab_size, generator=chance),
    }
    step["there"][1:, -3:] = False
    moving: dict[str, Axes] = {
        "ids": {0: "b", 1: "l"},
        "past": {0: "b", 4: "p"},
        "read": {0: "b", 4: "s"},
        "there": {0: "b", 1: "s"},
        "prior": {0: "b"},
    }
    writing = Graph("write", StepGraph(model).eval(), step, ("logits", "present"), moving)
    return reading, writing


def tower_graph(tower: VisionTower) -> Graph:
    """Of a :class:`ravl.encoders.towers.vision.VisionTower`: pictures to features."""
    prepared = tower.prepare(probe_picture())
    pictures = torch.rand(2, *prepared.shape, generator=_chance()) * 2 - 1
    return Graph(
        "vision", tower.whole.eval(), {"pictures": pictures}, ("features",), {"pictures": {0: "n"}}
    )


def _reading(config: PreTrainedConfig) -> tuple[dict[str, Tensor], dict[str, Axes]]:
    """Example inputs of a fusion encoder."""
    chance, k = _chance(), min(config.evidence, ROWS)

    def some(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=chance)

    tokens = torch.randint(1, int(config.language["vocab_size"]), (BATCH, WORDS), generator=chance)
    tokens[1:, -2:] = 0
    inputs = {"features": some(BATCH, config.features), "tokens": tokens}
    axes: dict[str, Axes] = {"features": {0: "b"}, "tokens": {0: "b", 1: "t"}}
    if config.evidence:
        there = some(3, BATCH, k) > 0
        neighbours = (
            some(BATCH, k, config.features),
            some(BATCH, k, config.vectors),
            some(BATCH, k, config.vectors),
            some(BATCH, k).tanh(),
            *there,
        )
        inputs |= dict(zip(NEAR, neighbours, strict=True))
        axes |= {name: {0: "b", 1: "k"} for name in NEAR}
    if config.regions:
        inputs["regions"] = some(BATCH, config.regions, config.region_features)
        axes["regions"] = {0: "b"}
    return inputs, axes


def _named(rest: tuple[Tensor, ...]) -> dict[str, Tensor]:
    return {n.removeprefix("near_"): x for n, x in zip(NEAR, rest, strict=False)}


def _heads(x: Tensor, layer: Any) -> Tensor:
    b, s = x.shape[:2]
    return x.view(b, s, layer.num_attention_heads, layer.attention_head_size).transpose(1, 2)


def _plain(model: M) -> M:
    """With attention in small steps, which every runtime knows.

    The spread of the words becomes a number: runtimes that sum millions in single precision would
    be off in the fourth digit.
    """
    for module in model.modules():
        if isinstance(module, PreTrainedModel):
            module.set_attn_implementation("eager")
    if isinstance(model, FusionEncoder):
        spread = model.scale().clone()
        model.scale = lambda: spread  # type: ignore[method-assign]
    return model


def _chance() -> torch.Generator:
    return torch.Generator().manual_seed(0)
