"""Retrieval-based training: fit an encoder's shared space to a memory's own pictures and texts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ravl.encoders.base import Array, Encoder
from ravl.encoders.trained import TrainedEncoder
from ravl.errors import DataError
from ravl.evaluation import ranks_of_relevant
from ravl.memory import Memory
from ravl.training.batches import PairData, Passes
from ravl.training.fit_folder import begin
from ravl.training.heads import RetrieverModel
from ravl.training.held import Held, best_hubness, early, measure, recall, to_json
from ravl.training.known import KnownTexts
from ravl.training.mixing import best_text_share
from ravl.training.pairs import Ints, Pairs, pairs_of, read_pairs, split
from ravl.training.report import write_report
from ravl.training.settings import RetrieverReport, RetrieverSettings
from ravl.training.trainer import train


@dataclass(frozen=True, slots=True)
class Parts:
    """Positions of pictures for training, validation and test."""

    train: Ints
    validation: Ints
    test: Ints


def fit_retriever(
    memory: Memory, out: str | Path, settings: RetrieverSettings | None = None, *,
    validation: str | None = None, test: str | None = None, progress: bool | None = None,
) -> RetrieverReport:  # fmt: skip
    """Train the retriever on a memory, give the memory the new space, and report what it gained.

    Where the validation part is found no better than before, the memory keeps the space it has.

    The encoder's networks stay as they are; heads on top of their features are trained by
    contrast (Radford et al. 2021, CLIP): a picture shall be nearer to its own texts than to all
    others. No picture is decoded again. Interrupted, the same call goes on where it stopped.

    Args:
        memory: with pictures that have captions, labels, tags or questions.
        out: folder for the run; made if need be.
        settings: see :class:`RetrieverSettings`.
        validation, test: filters that name the pictures of these parts; by default some are drawn.
            They are never trained on.
        progress: show bars; None shows them on a terminal.

    Returns:
        What it gained; also in ``out`` as ``metrics.json`` and ``report.html``.

    Raises:
        DataError: too few pictures or texts, an empty part, or a folder of another run.
        RavlError: the loss is no longer a number.
    """
    settings = settings or RetrieverSettings()
    out = Path(out)
    config: dict[str, Any] = {
        "task": "search", "memory": str(memory.path), "settings": settings.to_json(),
        "validation": validation, "test": test,
    }  # fmt: skip
    work = begin(out, config)
    current = memory.encoder
    base = KnownTexts(current.base if isinstance(current, TrainedEncoder) else current)
    if not isinstance(current, TrainedEncoder):
        base.recall(memory)
    pairs = read_pairs(memory, base)
    parts = Parts(
        *split(
            pairs,
            memory,
            validation or settings.validation_share,
            test or settings.test_share,
            settings.seed,
        )
    )
    _check_unchanged(work / "pairs.sha256", pairs, memory)
    texts = base.learn(pairs.texts, work / "texts.npy", progress)
    heads, curve, seconds = train_heads(pairs, texts, parts, base, out, settings, progress)
    if int(os.environ.get("RANK", "0")):  # of several processes, one is enough for the rest
        return RetrieverReport(out, {}, 0.0, seconds, False, curve)
    picture, text = heads.picture_head, heads.text_head
    kept = best_text_share(
        pairs, parts.validation, parts.train, base, picture, text, settings.share
    )
    trained = TrainedEncoder(base, picture, text, settings.share, kept)
    held = {
        name: Held.take(pairs, chosen, parts.train, base, trained)
        for name, chosen in (("validation", parts.validation), ("test", parts.test))
    }
    hubness = best_hubness(held["validation"])
    metrics = measure(held["test"], hubness, settings.seed)
    trained.save(out / "encoder")
    unseen = held["validation"]
    adopted = recall(unseen, unseen.after, hubness) > recall(unseen, unseen.before, 0)
    if adopted:
        memory.reembed(trained, progress=progress)
        memory.set_hubness(hubness)
    report = RetrieverReport(out, to_json(metrics), hubness, seconds, adopted, curve)
    sizes = {name: len(getattr(parts, name)) for name in ("train", "validation", "test")}
    write_report(report, memory, pairs, held["test"], metrics, sizes, settings)
    shutil.rmtree(work, ignore_errors=True)
    return report


def _check_unchanged(file: Path, pairs: Pairs, memory: Memory) -> None:
    """The split goes by the pairs: with others, a picture that was trained on could be tested."""
    parts = (
        pairs.rows,
        pairs.texts,
        *(x.tolist() for x in (pairs.groups, pairs.owners, pairs.which)),
    )
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    if file.exists() and file.read_text("utf-8") != digest:
        raise DataError(
            f"The pictures or texts in {memory.path} have changed since the run in "
            f"{file.parents[1]} was interrupted. Begin anew: name another folder with --out."
        )
    file.write_text(digest, encoding="utf-8")


def train_heads(
    pairs: Pairs, texts: Array, parts: Parts, base: Encoder, out: Path,
    settings: RetrieverSettings, show: bool | None,
) -> tuple[TrainedEncoder, list[tuple[float, float]], float]:  # fmt: skip
    """The trained encoder of this run: from its folder if training has ended, else trained now."""
    folder, log = out / "encoder", out / "work" / "curve.json"
    if folder.is_dir() and log.exists():
        known = json.loads(log.read_text("utf-8"))
        return TrainedEncoder.load(folder, base), [*map(tuple, known["curve"])], known["seconds"]
    torch.manual_seed(settings.seed)
    began = time.monotonic()
    chosen = pairs_of(pairs, parts.train)
    model = RetrieverModel(
        pairs.features[parts.train], texts[np.unique(pairs.which[chosen])], settings
    )

    def embed() -> tuple[Array, Array]:
        """Training pictures and the means of their texts, as of now."""
        seen, read = _embed(model, pairs.features[parts.train], texts)
        sums = np.zeros((len(pairs.rows), read.shape[1]), np.float32)
        np.add.at(sums, pairs.owners[chosen], read[pairs.which[chosen]])
        means = sums[parts.train]
        return seen, means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)

    order = Passes(
        chosen, pairs.owners[chosen], pairs.groups, settings.hard_negatives, embed, settings.seed
    )
    validate = _validation(model, pairs, texts, parts.validation)
    curve = train(
        model, PairData(pairs, texts), order, validate, out / "work" / "checkpoints", settings, show
    )
    encoder = TrainedEncoder(base, model.pictures.export(), model.texts.export(), settings.share)
    seconds = round(time.monotonic() - began, 1)
    if not int(os.environ.get("RANK", "0")):
        encoder.save(folder)
        log.write_text(json.dumps({"curve": curve, "seconds": seconds}), encoding="utf-8")
    return encoder, curve, seconds


def _validation(model: RetrieverModel, pairs: Pairs, texts: Array, chosen: Ints) -> Any:
    """A function: mean of R@10 both ways on the validation pictures, of the model as it is."""
    own = pairs_of(pairs, chosen)
    which, positions = np.unique(pairs.which[own], return_inverse=True)
    pictures = np.searchsorted(chosen, pairs.owners[own])
    of_text = [pictures[positions == t] for t in range(len(which))]
    of_picture = [positions[pictures == p] for p in range(len(chosen))]

    def score() -> float:
        seen, read = _embed(model, pairs.features[chosen], texts[which])
        both = (
            ranks_of_relevant(read, seen, of_text), ranks_of_relevant(seen, read, of_picture)
        )  # fmt: skip
        return early(both, len(chosen))

    return score


@torch.inference_mode()
def _embed(model: RetrieverModel, pictures: Array, texts: Array) -> tuple[Array, Array]:
    """Vectors of pictures (n, d) and texts (m, d), with the heads as they are."""
    training = model.training
    model.eval()
    device = model.bias.device
    seen = model.pictures(torch.from_numpy(pictures).to(device)).cpu().numpy()
    read = model.texts(torch.from_numpy(texts).to(device)).cpu().numpy()
    model.train(training)
    return seen, read
