"""Training of the fusion model: batches with retrieved evidence, and the loop around them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset, Sampler

from ravl.encoders.base import Array
from ravl.evaluation import PRIMARY, values
from ravl.models.freezing import add_adapters, freeze, parse_strategy, trainable
from ravl.models.fusion import FusionConfig, FusionModel, with_language
from ravl.models.gate import fit_gate, probabilities
from ravl.models.quiet import quiet
from ravl.models.reader import Evidence, Reader, gather
from ravl.retrieval.bank import Ints, Neighbours
from ravl.tasks.labeller import Labeller
from ravl.tasks.testimony import EvidenceArrays, Testimony
from ravl.training.fit_settings import FitSettings
from ravl.training.ground import Ground
from ravl.training.levels import finish, temperature_of
from ravl.training.trainer import train

POOL = 2  # times as many neighbours as are read, from which an example's are drawn


class Shuffled(Sampler[int]):
    """All positions in an order of their own in each epoch.

    Args:
        positions: of the examples.
        seed: of the order; the epoch is added.
        most: positions of an epoch; of more so many are drawn anew for each. None for all.
    """

    def __init__(self, positions: Sequence[int] | Ints, seed: int, most: int | None = None) -> None:
        self._positions = np.asarray(positions, np.int64)
        self._seed = seed
        self._count = min(most or len(self._positions), len(self._positions))
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer, so that a resumed run has the order it would have had."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self._seed, self.epoch])
        yield from random.permutation(self._positions)[: self._count].tolist()


@dataclass(frozen=True, eq=False)
class Disturbance:
    """What is done to an example's neighbours, so that the model does not come to rely on them.

    Args:
        dropout: share of examples that see none.
        noise: share of neighbours that are exchanged for random rows of the bank.
        pool: the k that are read are drawn from the nearest ``POOL * k`` (c-sample-k, Li et al.
            2024, "Understanding Retrieval Robustness for Retrieval-augmented Image Captioning").
    """

    dropout: float = 0.15
    noise: float = 0.1
    pool: int = POOL


def disturb(
    near: Neighbours, k: int, rows: int, how: Disturbance, random: np.random.Generator,
    own: Sequence[Ints] | None = None,
) -> Neighbours:  # fmt: skip
    """Neighbours of b examples as they are read in one step of training, (b, k).

    Args:
        near: of the examples, which do not show the example itself.
        k: that are read.
        rows: of the bank.
        how: they are disturbed.
        random: what is drawn with.
        own: of each example the rows that show it; a random row must be none of them either.
    """
    positions, likeness = near.positions.copy(), near.likeness.copy()
    b, width = positions.shape
    if width > k:
        # Random places among the first, in order of likeness.
        order = np.argsort(random.random((b, min(width, how.pool * k))), axis=1)[:, :k]
        order.sort(axis=1)
        positions = np.take_along_axis(positions, order, 1)
        likeness = np.take_along_axis(likeness, order, 1)
    strangers = (random.random(positions.shape) < how.noise) & (positions >= 0)
    positions[strangers] = random.integers(0, max(rows, 1), int(strangers.sum()))
    if own is not None:
        for i in np.flatnonzero(strangers.any(axis=1)).tolist():
            positions[i, np.isin(positions[i], own[i])] = -1
    positions[random.random(b) < how.dropout] = -1
    return Neighbours(positions, np.where(positions >= 0, likeness, 0).astype(np.float32))


class FusionData(Dataset[dict[str, Any]]):
    """Training examples with their evidence, made into whole batches.

    Args:
        features: standardised, (n, F).
        targets: (n, C).
        near: neighbours of each, at least ``POOL * k`` where there are so many; None for a model
            that reads none.
        evidence: of the bank's rows.
        k: neighbours that are read.
        how: they are disturbed.
        order: that knows the epoch.
        seed: of what is drawn.
        own: of each example the rows of the bank that show it.
        known: base logits of each that have not seen it, (n, C); None to let the base answer.
    """

    def __init__(
        self, features: Array, targets: Array, near: Neighbours | None, evidence: Evidence | None,
        k: int, how: Disturbance, order: Shuffled, seed: int, own: Sequence[Ints] | None = None,
        known: Array | None = None,
    ) -> None:  # fmt: skip
        self._features, self._targets = torch.from_numpy(features), torch.from_numpy(targets)
        self._near, self._evidence = near, evidence
        self._k, self._how, self._order, self._seed = k, how, order, seed
        self._own = own
        self._known = None if known is None else torch.from_numpy(known)

    def __len__(self) -> int:
        return len(self._features)

    def __getitems__(self, positions: Sequence[int]) -> dict[str, Any]:
        """A whole batch at once."""
        chosen = np.asarray(positions, np.int64)
        batch: dict[str, Any] = {
            "features": self._features[chosen], "targets": self._targets[chosen],
        }  # fmt: skip
        if self._known is not None:
            batch["known"] = self._known[chosen]
        if self._near is not None and self._evidence is not None:
            # By epoch and first example, so that a resumed run draws what it would have drawn.
            random = np.random.default_rng([self._seed, self._order.epoch, int(chosen[0])])
            rows = len(self._evidence.features)
            own = [self._own[i] for i in chosen] if self._own is not None else None
            near = disturb(self._near.take(chosen), self._k, rows, self._how, random, own)
            batch["near"] = gather(self._evidence, near.positions, near.likeness)
        return batch

    def __getitem__(self, position: int) -> dict[str, Any]:
        return self.__getitems__([position])


@dataclass(frozen=True, slots=True)
class FusionResult:
    """A trained fusion model.

    Args:
        reader: that answers with it.
        curve: seconds and validation score after each epoch.
        seconds: of training.
        parameters: that were trained.
    """

    reader: Reader
    curve: list[tuple[float, float]]
    seconds: float
    parameters: int


def train_fusion(
    ground: Ground, linear: Labeller, testimony: Testimony, folder: Path, *, retrieval: bool,
    show: bool | None, unseen: Array | None = None,
    report: Callable[[float], None] | None = None,
) -> FusionResult:  # fmt: skip
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
    """
    settings, head = ground.settings, linear.head
    assert head is not None
    torch.manual_seed(settings.seed)
    began = time.monotonic()
    k = min(settings.evidence, len(ground.bank)) if retrieval else 0
    model = new_model(
        settings, features=head.weight.shape[1], vectors=ground.memory.encoder.dimension,
        labels=len(ground.labels), exclusive=ground.task.exclusive, base=head.weight.shape[1], k=k,
        weights=ground.loss.weights,
    )  # fmt: skip
    with torch.no_grad():
        model.base.weight.copy_(torch.from_numpy(head.weight))
        model.base.bias.copy_(torch.from_numpy(head.bias))
    model.base.requires_grad_(False)  # it is the best of its kind already
    slow = prepare_language(model, settings)
    evidence = None
    if retrieval:
        evidence = EvidenceArrays.of(
            testimony, linear.standard(ground.bank.features), ground.memory
        )
    reader = Reader(model)
    order = Shuffled(np.arange(len(ground.train)), settings.seed)
    data = FusionData(
        head.standard(ground.train.queries.seen), ground.train.targets,
        ground.train.seen(linear.spread) if retrieval else None, evidence, k,
        Disturbance(settings.retrieval_dropout, settings.noise), order, settings.seed,
        [ground.bank.showing(groups) for groups in ground.train.labelled.shown], unseen,
    )  # fmt: skip
    held = ground.validation
    seen, truth = head.standard(held.queries.seen), ground.truth(held)
    near = held.seen(linear.spread) if retrieval else None
    curve = train(
        model, data, order, _validation(reader, seen, near, evidence, truth, ground, report),
        folder / "checkpoints", settings, show,
        "Fusion with retrieval" if retrieval else "Fusion without", slow, folder / "logs",
    )  # fmt: skip
    count = sum(p.numel() for _, p in trainable(model))
    merge_adapters(model)
    return FusionResult(reader, curve, round(time.monotonic() - began, 1), count)


def new_model(
    settings: FitSettings, *, features: int, vectors: int, labels: int, exclusive: bool, base: int,
    k: int, weights: Array | None,
) -> FusionModel:  # fmt: skip
    """An untrained fusion model around the chosen language model."""
    from ravl.encoders.builtin_parts import minilm_folder

    name = settings.language_model
    config = FusionConfig(
        features=features, vectors=vectors, labels=labels, exclusive=exclusive, base=base,
        evidence=k, dropout=settings.dropout, smoothing=settings.smoothing,
    )  # fmt: skip
    with quiet():
        model = with_language(config, str(minilm_folder()) if name == "builtin" else name)
    if weights is not None:
        model.weights.copy_(torch.from_numpy(weights))
    return model


def prepare_language(model: FusionModel, settings: FitSettings) -> list[nn.Parameter]:
    """Freeze what shall stay of the language model; returns its parameters that learn, slowly."""
    strategy = parse_strategy(settings.language)
    layers = language_layers(model.language)
    freeze(model.language, layers, [], strategy)
    if strategy.name == "lora":
        depth = strategy.depth(len(layers))
        upper = {id(m) for layer in layers[len(layers) - depth :] for m in layer.modules()}
        names = [
            name for name, module in model.language.named_modules()
            if id(module) in upper and isinstance(module, nn.Linear)
            and name.rpartition(".")[2] in ("query", "value", "q_lin", "v_lin", "q_proj", "v_proj")
        ]  # fmt: skip
        add_adapters(model.language, names)
        return []  # adapters are new, and learn at the full rate
    model.language.get_input_embeddings().requires_grad_(strategy.name == "full")
    return [p for _, p in trainable(model.language)]


def language_layers(language: nn.Module) -> list[nn.Module]:
    """The layers of a BERT-like model, the lowest first: its longest list of modules."""
    lists = [list(m) for m in language.modules() if isinstance(m, nn.ModuleList)]
    return max(lists, key=len, default=[])


def merge_adapters(model: FusionModel) -> None:
    """Add adapters to the weights that they adapt, so that the model is saved as a plain one."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(model.language.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            parent = model.language.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], module.get_base_layer())


def _validation(
    reader: Reader, seen: Array, near: Neighbours | None, evidence: Evidence | None,
    truth: Ints, ground: Ground, report: Callable[[float], None] | None,
) -> Callable[[], float]:  # fmt: skip
    """A function: the task's score on the validation part, less a tenth of its surprise.

    The likelihood tells epochs apart that answer alike.
    """
    task = ground.task

    def validate() -> float:
        found = probabilities(reader(seen, near, evidence), task.exclusive)
        if not np.isfinite(found).all():
            return float("nan")  # the trainer says what to do
        scores = values(task.name, found, truth)
        primary = scores.get(PRIMARY[task.name], 0.0)
        score = float(primary - 0.1 * scores["log_loss"])
        if report is not None:
            report(score)
        return score

    return validate


def fusion_labeller(
    ground: Ground, linear: Labeller, result: FusionResult, testimony: Testimony
) -> Labeller:
    """A labeller around a trained fusion model; its gate is fitted on the validation part."""
    side, head = ground.validation, linear.head
    assert head is not None
    evidence = EvidenceArrays.of(testimony, linear.standard(ground.bank.features), ground.memory)
    seen, near = head.standard(side.queries.seen), side.seen(linear.spread)
    logits = result.reader(seen, near, evidence)
    votes = linear.vote(near, testimony.said, testimony.worth)[:, : testimony.known]
    likeness = near.nearest
    gate = fit_gate(votes, logits, likeness, side.targets, ground.task.exclusive)
    alone = temperature_of(result.reader(seen), side.targets, ground.task.exclusive)
    labeller = replace(linear, reader=result.reader, gate=gate, alone=alone)
    return finish(labeller, ground, side, gate(votes, logits, likeness)[0])
