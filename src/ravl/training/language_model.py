"""Language models that read evidence: made, frozen, adapted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ravl.encoders.base import Array
from ravl.encoders.towers.freezing import add_adapters, freeze, parse_strategy, trainable
from ravl.models.fusion import FusionConfig, FusionEncoder, FusionModel, with_language
from ravl.models.reader import Reader
from ravl.models.silence_transformers import silence_transformers
from ravl.models.tokenizer import LONGEST, WordPieceTokenizer
from ravl.training.fit_settings import FitSettings

OWN = ("base.", "weights")  # of each fit: the base is fitted anew, in closed form
OTHERS = 8  # tokens that are neither of the picture, nor of a text, nor of neighbours


@dataclass(frozen=True, slots=True)
class FusionResult:
    """A trained fusion model.

    Args:
        reader: that answers with it.
        words: its tokenizer, where examples have texts of their own.
        curve: seconds and validation score after each epoch.
        seconds: of training.
        parameters: that were trained.
    """

    reader: Reader
    curve: list[tuple[float, float]]
    seconds: float
    parameters: int
    words: WordPieceTokenizer | None = None


def words_of(model: FusionModel, name: str, taken: int, most: int = LONGEST) -> WordPieceTokenizer:
    """The language model's tokenizer, for texts as long as there are positions for.

    Args:
        model: around it.
        name: of the language model.
        taken: positions of the neighbours.
        most: word pieces of a text.
    """
    places = int(getattr(model.language.config, "max_position_embeddings", 512))
    left = places - OTHERS - model.config.picture_tokens - taken
    return WordPieceTokenizer.load(language_folder(name), max(1, min(most, left)))


def language_folder(name: str) -> Path:
    """The folder of a language model; one of the hub is downloaded at its first use.

    Args:
        name: "builtin", a folder, or a name on the hub.

    Raises:
        EncoderError: no such folder or model, or the hub cannot be reached.
    """
    from ravl.encoders.builtin_parts import minilm_folder
    from ravl.models.generation.hub import found_folder

    return minilm_folder() if name == "builtin" else found_folder(name)


def new_model(
    settings: FitSettings,
    *,
    features: int,
    vectors: int,
    labels: int,
    exclusive: bool,
    base: int,
    k: int,
    weights: Array | None,
) -> FusionModel:
    """An untrained fusion model around the chosen language model."""
    config = FusionConfig(
        features=features,
        vectors=vectors,
        labels=labels,
        exclusive=exclusive,
        base=base,
        evidence=k,
        dropout=settings.dropout,
        smoothing=settings.label_smoothing,
    )
    with silence_transformers():
        model = with_language(config, language_folder(settings.language_model))
    if weights is not None:
        model.weights.copy_(torch.from_numpy(weights))
    return model


def prepare_language(model: FusionEncoder, language: str) -> list[nn.Parameter]:
    """Freeze what must stay of the language model; returns its parameters that learn, slowly.

    Args:
        model: around the language model.
        language: the name of a strategy, see :mod:`ravl.encoders.towers.freezing`.
    """
    strategy = parse_strategy(language)
    layers = language_layers(model.language)
    freeze(model.language, layers, [], strategy)
    if strategy.name == "lora":
        depth = strategy.depth(len(layers))
        upper = {id(m) for layer in layers[len(layers) - depth :] for m in layer.modules()}
        names = [
            name
            for name, module in model.language.named_modules()
            if id(module) in upper
            and isinstance(module, nn.Linear)
            and name.rpartition(".")[2] in ("query", "value", "q_lin", "v_lin", "q_proj", "v_proj")
        ]
        add_adapters(model.language, names)
        return []  # adapters are new, and learn at the full rate
    model.language.get_input_embeddings().requires_grad_(strategy.name == "full")
    return [p for _, p in trainable(model.language)]


def language_layers(language: nn.Module) -> list[nn.Module]:
    """The layers of a BERT-like model, the lowest first: its longest list of modules."""
    lists = [list(m) for m in language.modules() if isinstance(m, nn.ModuleList)]
    return max(lists, key=len, default=[])


def merge_adapters(model: FusionEncoder) -> None:
    """Add adapters to the weights that they adapt, so that the model is saved as a plain one."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(model.language.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent = model.language.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], module.get_base_layer())
