"""Learning from how good whole texts are: self-critical training.

A generator that only repeats people's words, one by one, never learns that a whole sentence is
poor. Here it writes several texts for each training picture, and becomes likelier to write those
that are better than its others (Rennie et al. 2017, "Self-critical Sequence Training"; with the
mean of the others as the baseline, Luo 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ravl.evaluation.generation.quality import Quality
from ravl.models.batch import Batch
from ravl.models.generation.fused import FusedGenerator
from ravl.models.generation.vocabulary import PAD
from ravl.tasks.caption.batches import TextBatches
from ravl.tasks.caption.dataset import TextFitData
from ravl.training.neighbour_noise import EpochSampler
from ravl.training.trainer import has_bfloat16, train

SAMPLES = 5  # texts that are written of each picture
RATE = 1 / 3  # of the learning rate before


class OwnTexts(Dataset[Batch]):
    """Batches of the same pictures with texts that the generator writes itself.

    Args:
        batches: that give pictures and evidence.
        references: of each picture.
        generator: that is being trained.
        quality: of its texts.
        seed: of the sampling.
        order: that knows the epoch.
    """

    def __init__(
        self,
        batches: TextBatches,
        references: Sequence[Sequence[str]],
        generator: FusedGenerator,
        quality: Quality,
        seed: int,
        order: EpochSampler,
    ) -> None:
        self._batches, self._references = batches, references
        self._generator, self._quality = generator, quality
        self._seed, self._order = seed, order

    def __len__(self) -> int:
        return len(self._batches)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """A whole batch: ``SAMPLES`` texts of each picture, and how much each is worth."""
        batch = self._batches.__getitems__(positions)
        ids = self._write(batch, [self._order.epoch, int(positions[0])])
        texts = [self._generator.vocabulary.text(line) for line in ids]
        rewards = np.stack(
            [
                self._quality.of_one(texts[i * SAMPLES : (i + 1) * SAMPLES], self._references[p])
                for i, p in enumerate(positions)
            ]
        )  # (b, SAMPLES)
        others = (rewards.sum(1, keepdims=True) - rewards) / (SAMPLES - 1)
        return {
            **batch,
            "ids": ids,
            "worth": torch.from_numpy((rewards - others).ravel()),
            "owners": torch.arange(len(positions)).repeat_interleave(SAMPLES),
        }

    @torch.inference_mode()
    def _write(self, batch: Batch, seed: list[int]) -> Tensor:
        """Ids of the texts (b * SAMPLES, l), sampled from the present generator."""
        model, device = self._generator.model, self._generator.device
        mode = model.training
        model.eval()
        number = int(np.random.default_rng([self._seed, *seed]).integers(2**31))
        with (
            torch.random.fork_rng(),
            torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16()),
        ):
            torch.manual_seed(number)
            neighbours = batch.get("neighbours")
            states, there = model.encoder.read(
                batch["features"].to(device),
                batch.get("tokens"),
                None if neighbours is None else {n: v.to(device) for n, v in neighbours.items()},
                batch.get("regions"),
            )
            ids: Tensor = (
                self._generator.sample(states, there, batch.get("prior"), SAMPLES).cpu().clone()
            )
        model.train(mode)
        ids[:, 1:][(ids[:, 1:] == PAD).cumsum(1) > 0] = PAD
        return ids

    def __getitem__(self, position: int) -> Batch:
        return self.__getitems__([position])


def learn_from_reward(
    data: TextFitData,
    generator: FusedGenerator,
    quality: Quality,
    batches: TextBatches,
    order: EpochSampler,
    validate: Callable[[], float],
    folder: Path,
    show: bool | None,
) -> list[tuple[float, float]]:
    """Train on from what it has learned, in place; keeps what was best on validation.

    Returns:
        The curve: seconds since the start and score, after each epoch.
    """
    settings = data.settings
    own = OwnTexts(batches, data.train.texts, generator, quality, settings.seed, order)
    before = validate()
    kept = {name: value.clone() for name, value in generator.model.state_dict().items()}
    how = replace(
        settings,
        epochs=settings.reward_epochs,
        learning_rate=RATE * settings.learning_rate,
        weight_decay=0.0,
    )
    curve = train(
        generator.model, own, order, validate, folder, how, show, "Learning from its own texts"
    )
    if max((score for _, score in curve), default=before) < before:
        generator.model.load_state_dict(kept)
    return curve
