"""What a user can choose when the retriever is trained, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from ravl.errors import DataError
from ravl.evaluation import Score

Loss = Literal["infonce", "sigmoid"]


@dataclass(frozen=True, slots=True)
class RetrieverSettings:
    """How to train the retriever.

    The defaults were chosen on Flickr8k's dev split (benchmarks/results/retriever.md).

    Args:
        loss: ``infonce`` (symmetric, van den Oord et al. 2018; CLIP) or ``sigmoid`` (SigLIP).
        epochs: passes over all texts of the training part, at most.
        batch_size: pairs in a batch; each is a negative for all others.
        learning_rate: at its peak; AdamW with a linear warm-up and a cosine decay.
        weight_decay: of the heads' weights.
        warmup: share of the steps.
        dropout: of the heads' inputs.
        dimension: of the trained space.
        hidden: size of the heads' residual hidden layer; 0 for linear heads.
        temperature: at the start; it is learned.
        hard_negatives: pictures mined for each picture of a batch, which then share the batch.
        patience: epochs without a better validation score before training stops.
        share: of the trained part in the likeness of two pictures; the rest is the base encoder's.
        validation_share, test_share: of the pictures that are held out, where no filter names them.
        seed: of the split, the order and the first weights.
    """

    loss: Loss = "infonce"
    epochs: int = 10
    batch_size: int = 1024
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    dropout: float = 0.5
    dimension: int = 256
    hidden: int = 1024
    temperature: float = 0.07
    hard_negatives: int = 0
    patience: int = 5
    share: float = 0.5
    validation_share: float = 0.1
    test_share: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.loss not in get_args(Loss):
            raise DataError(
                f"loss is {self.loss!r}; it must be one of {', '.join(get_args(Loss))}."
            )
        for name in ("epochs", "batch_size", "dimension", "patience"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        for name in ("learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise DataError(f"{name} is {getattr(self, name)}; it must be more than 0.")
        for name in ("weight_decay", "hidden", "hard_negatives"):
            if getattr(self, name) < 0:
                raise DataError(f"{name} is {getattr(self, name)}; it must not be negative.")
        for name in ("warmup", "dropout", "validation_share", "test_share"):
            if not 0 <= getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}; it must be from 0 to below 1.")
        if not 0 < self.share <= 1:
            raise DataError(f"share is {self.share}; it must be more than 0, and at most 1.")

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class RetrieverReport:
    """What training the retriever did and gained.

    Args:
        out: the run's folder, with ``encoder/``, ``metrics.json`` and ``report.html``.
        metrics: by direction, then ``before`` and ``after`` and ``difference``, then metric.
        hubness: the strength of hubness correction that was best on the validation part.
        seconds: of training, without the first look at texts and without re-embedding.
        adopted: whether the memory has the new space: only if validation was better with it.
        curve: validation R@10 (mean of both directions) after each epoch, with the seconds.
    """

    out: Path
    metrics: dict[str, Any]
    hubness: float
    seconds: float
    adopted: bool
    curve: list[tuple[float, float]] = field(default_factory=list)

    def summary(self) -> list[str]:
        """What it gained, a line for each direction and metric, for a terminal."""
        lines = []
        for direction, moments in self.metrics.items():
            for name, before in moments["before"].items():
                old, new, change = (
                    _plain(name, score)
                    for score in (before, moments["after"][name], moments["difference"][name])
                )
                lines.append(f"{direction:<19}{name:<16}{old:>22}  ->  {new:<22}  ({change})")
        return lines


def _plain(name: str, score: dict[str, float]) -> str:
    found = Score(score["value"], score["low"], score["high"])
    return str(found) if name in ("median_rank", "MRR", "nDCG@10") else found.percent()
