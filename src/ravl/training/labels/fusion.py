"""Training of the fusion model, with retrieved evidence or without."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ravl.encoders.base import Array
from ravl.encoders.towers.freezing import add_adapters, freeze, parse_strategy, trainable
from ravl.evaluation import PRIMARY, values
from ravl.models.fusion import FusionConfig, FusionEncoder, FusionModel, with_language
from ravl.models.gate import fit_gate, probabilities
from ravl.models.quiet import quiet
from ravl.models.reader import Reader
from ravl.models.words import LONGEST, Words
from ravl.retrieval.bank import Ints
from ravl.tasks.labeller import Labeller, Queries
from ravl.tasks.testimony import EvidenceArrays, Testimony
from ravl.training.again import SLOWER, take_over
from ravl.training.fit_settings import FitSettings
from ravl.training.labels.fusion_batches import Disturbance, FusionData, Shuffled
from ravl.training.labels.ground import Ground
from ravl.training.labels.levels import finish, temperature_of
from ravl.training.trainer import train

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
    words: Words | None = None


def train_fusion(
    ground: Ground,
    linear: Labeller,
    testimony: Testimony,
    folder: Path,
    *,
    retrieval: bool,
    show: bool | None,
    unseen: Array | None = None,
    report: Callable[[float], None] | None = None,
    start: Labeller | None = None,
) -> FusionResult:
    """Train the fusion model, with evidence or without, and keep the epoch best on validation.

    Args:
        ground: to train on.
        linear: the level below, whose head its base starts from.
        testimony: of the ground's bank.
        folder: for checkpoints and logs of this training.
        retrieval: False for the comparison that reads no neighbours.
        show: progress bars.
        unseen: base logits (n, C) of the training examples by heads that have not seen them.
        report: told the validation score after each epoch; what it raises ends the training.
        start: the labeller whose weights it begins with, at a lower learning rate; None for the
            language model's alone.
    """
    settings, head = ground.settings, linear.head
    assert head is not None
    torch.manual_seed(settings.seed)
    began = time.monotonic()
    k = min(settings.evidence, len(ground.bank)) if retrieval else 0
    model = new_model(
        settings,
        features=head.weight.shape[1],
        vectors=ground.task.encoder(ground.memory).dimension,
        labels=len(ground.labels),
        exclusive=ground.task.exclusive,
        base=head.weight.shape[1],
        k=k,
        weights=ground.loss.weights,
    )
    with torch.no_grad():
        model.base.weight.copy_(torch.from_numpy(head.weight))
        model.base.bias.copy_(torch.from_numpy(head.bias))
    model.base.requires_grad_(False)  # it is the best of its kind already
    if start is not None and start.reader is not None:
        begin_with(model, start, ground.labels)
        settings = replace(settings, learning_rate=settings.learning_rate * SLOWER)
    slow = prepare_language(model, settings.language)
    evidence = _evidence(ground, linear, testimony) if retrieval else None
    texts = ground.train.queries.texts
    words = words_of(model, settings.language_model, 3 * k) if texts is not None else None
    reader = Reader(model)
    order = Shuffled(np.arange(len(ground.train)), settings.seed)
    data = FusionData(
        head.standard(ground.train.queries.seen),
        ground.train.targets,
        ground.train.seen(linear.spread) if retrieval else None,
        evidence,
        k,
        Disturbance(settings.retrieval_dropout, settings.noise),
        order,
        settings.seed,
        [ground.bank.showing(groups) for groups in ground.train.labelled.shown],
        unseen,
        _tokens(words, ground.train.queries),
    )
    held = ground.validation
    seen, truth = head.standard(held.queries.seen), ground.truth(held)
    near = held.seen(linear.spread) if retrieval else None
    tokens = _tokens(words, held.queries)

    def read() -> Array:
        return reader(seen, near, evidence, tokens=tokens)

    curve = train(
        model,
        data,
        order,
        _validation(read, truth, ground, report),
        folder / "checkpoints",
        settings,
        show,
        "Fusion with retrieval" if retrieval else "Fusion without",
        slow,
        folder / "logs",
    )
    count = sum(p.numel() for _, p in trainable(model))
    merge_adapters(model)
    return FusionResult(reader, curve, round(time.monotonic() - began, 1), count, words)


def begin_with(model: FusionModel, start: Labeller, labels: list[str]) -> None:
    """Take over what another fusion model has learned, but for its base.

    What it says of a label goes to the same label; a label that it does not know starts at zero.
    """
    assert start.reader is not None
    take_over(model, start.reader.model, (*OWN, "out."))
    places = {label: i for i, label in enumerate(start.labels)}
    both = [(i, places[label]) for i, label in enumerate(labels) if label in places]
    here, there = (list(side) for side in zip(*both, strict=True)) if both else ([], [])
    old, own = start.reader.model.out.state_dict(), model.out.state_dict()
    for name, tensor in own.items():
        tensor[here] = old[name][there]


def words_of(model: FusionModel, name: str, taken: int, most: int = LONGEST) -> Words:
    """The language model's tokenizer, for texts as long as there are positions for.

    Args:
        model: around it.
        name: of the language model.
        taken: positions of the neighbours.
        most: word pieces of a text.
    """
    from ravl.encoders.builtin_parts import minilm_folder

    places = int(getattr(model.language.config, "max_position_embeddings", 512))
    left = places - OTHERS - model.config.picture_tokens - taken
    return Words.load(minilm_folder() if name == "builtin" else name, max(1, min(most, left)))


def _tokens(words: Words | None, queries: Queries) -> list[Tensor] | None:
    return words(queries.texts) if words is not None and queries.texts is not None else None


def _evidence(ground: Ground, linear: Labeller, testimony: Testimony) -> EvidenceArrays:
    features = linear.standard(ground.bank.features)
    return EvidenceArrays.of(testimony, features, ground.memory, ground.task)


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
    from ravl.encoders.builtin_parts import minilm_folder

    name = settings.language_model
    config = FusionConfig(
        features=features,
        vectors=vectors,
        labels=labels,
        exclusive=exclusive,
        base=base,
        evidence=k,
        dropout=settings.dropout,
        smoothing=settings.smoothing,
    )
    with quiet():
        model = with_language(config, str(minilm_folder()) if name == "builtin" else name)
    if weights is not None:
        model.weights.copy_(torch.from_numpy(weights))
    return model


def prepare_language(model: FusionEncoder, language: str) -> list[nn.Parameter]:
    """Freeze what shall stay of the language model; returns its parameters that learn, slowly.

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


def _validation(
    read: Callable[[], Array],
    truth: Ints,
    ground: Ground,
    report: Callable[[float], None] | None,
) -> Callable[[], float]:
    """A function: the task's score on the validation part, less a tenth of its surprise.

    The likelihood tells epochs apart that answer alike.
    """
    task = ground.task

    def validate() -> float:
        found = probabilities(read(), task.exclusive)
        if not np.isfinite(found).all():
            return float("nan")  # the trainer says what to do
        scores = values(task.judged, found, truth)
        primary = scores.get(PRIMARY[task.judged], 0.0)
        score = float(primary - 0.1 * scores["log_loss"])
        if report is not None:
            report(score)
        return score

    return validate


def fusion_labeller(
    ground: Ground, linear: Labeller, result: FusionResult, testimony: Testimony
) -> Labeller:
    """A labeller around a trained fusion model; its gate is fitted on the validation part."""
    side = ground.validation
    near = side.seen(linear.spread)
    fused = replace(linear, reader=result.reader, words=result.words)
    logits = fused.logits(side.queries, near, _evidence(ground, linear, testimony))
    votes = linear.vote(near, testimony.said, testimony.worth)[:, : testimony.known]
    likeness = near.nearest
    gate = fit_gate(votes, logits, likeness, side.targets, ground.task.exclusive)
    alone = temperature_of(fused.logits(side.queries), side.targets, ground.task.exclusive)
    labeller = replace(fused, gate=gate, alone=alone)
    return finish(labeller, ground, side, gate(votes, logits, likeness)[0])
