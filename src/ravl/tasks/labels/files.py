"""A predictor as files of a run, and out of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ravl.encoders.base import Array
from ravl.json_types import JsonObject, JsonRecord
from ravl.kept import Fitted
from ravl.models.calibration import RiskCalibrator
from ravl.models.class_means import ClassMeans
from ravl.models.gate import Gate
from ravl.models.linear import LinearHead, Standardizer
from ravl.models.vote import Vote
from ravl.runs.run import AGAIN, FUSION, Run, by_part
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.targets import LabelTargets
from ravl.untrusted import damage_of


def describe(predictor: LabelPredictor) -> JsonObject:
    """What ``run.json`` says of it."""
    return {
        **predictor.task.to_json(),
        "labels": predictor.labels,
        "vote": predictor.vote.to_json(),
        "spread": predictor.spread,
        "tuned_keys": predictor.tuned_keys,
        "alone": predictor.alone,
        "means": None
        if predictor.means is None
        else {**predictor.means.to_json(), "weight": predictor.means_weight},
        # Questions are read by the base encoder, whatever the memory's retriever was trained to
        # be; AskModel compares that.
        "reads_texts": predictor.reader is not None and not predictor.task.asks,
        "longest": predictor.words.max_length if predictor.words is not None else 0,
    }


def arrays_of(predictor: LabelPredictor, folder: Path) -> dict[str, dict[str, Array]]:
    """Its arrays; a fusion model is saved into the folder."""
    found = {
        "keys": predictor.keys.arrays(),
        "gate": predictor.gate.arrays(),
        "ballot": predictor.vote_gate.arrays(),
        "standard": predictor.standard.arrays(),
        "thresholds": {"values": predictor.thresholds},
    }
    if len(predictor.memory_counts):
        found["memory"] = {"counts": predictor.memory_counts}
    if predictor.head is not None:
        found["head"] = predictor.head.arrays()
    if predictor.calibration is not None:
        found["calibration"] = {
            "confidence": predictor.calibration.confidence,
            "right": predictor.calibration.right,
        }
    if predictor.reader is not None:
        predictor.reader.save(folder / FUSION)
        if predictor.words is not None:
            predictor.words.save(folder / FUSION)
    return found


def load_label_predictor(run: Run, targets: type[LabelTargets] = LabelTargets) -> LabelPredictor:
    """The inverse of :func:`describe` and :func:`arrays_of`.

    Args:
        run: to be loaded.
        targets: the class of what rows say for its task.

    Raises:
        DataError: a file of the run is damaged, or lacks something.
    """
    with damage_of(f"The run in {run.folder}", AGAIN):
        predictor = _load(run, targets)
        _check(predictor)
        return predictor


def _check(predictor: LabelPredictor) -> None:
    """Refuse arrays that are not of the labels; ValueError."""
    labels = predictor.labels
    if not all(isinstance(label, str) for label in labels) or len({*labels}) < len(labels):
        raise ValueError("the labels are not texts, each once")
    count = len(labels)
    sizes = [len(predictor.gate.class_prior), len(predictor.vote_gate.class_prior)]
    sizes += [len(predictor.head.bias)] if predictor.head is not None else []
    for per_label in (predictor.thresholds, predictor.memory_counts):
        sizes += [len(per_label)] if len(per_label) else []
    if set(sizes) - {count}:
        raise ValueError(f"it has {count:,} labels, and arrays for {max(sizes):,}")


def _load(run: Run, targets: type[LabelTargets]) -> LabelPredictor:
    record, arrays = run.record, run.arrays()
    predictor = _of(record, arrays, targets.from_json(record))
    if not (record["reads_texts"] or (run.folder / FUSION).is_dir()):
        return predictor
    reader, words = run.networks.reader(run.folder / FUSION, int(record.get("longest", 0)))
    return replace(predictor, reader=reader, words=words)


def _of(
    record: JsonRecord, arrays: Mapping[str, Mapping[str, Array]], task: LabelTargets
) -> LabelPredictor:
    """A predictor without the networks of a fusion model."""
    calibration, means = arrays.get("calibration"), record.get("means")
    return LabelPredictor(
        task=task,
        labels=list(record["labels"]),
        keys=task.keys_of(arrays["keys"]),
        standard=Standardizer.from_arrays(arrays["standard"]),
        vote=Vote.from_json(record["vote"]),
        gate=Gate.from_arrays(arrays["gate"]),
        vote_gate=Gate.from_arrays(arrays["ballot"]),
        head=LinearHead.from_arrays(arrays["head"]) if "head" in arrays else None,
        reader=None,
        words=None,
        alone=float(record["alone"]),
        spread=bool(record["spread"]),
        tuned_keys=bool(record.get("tuned_keys", False)),
        thresholds=arrays.get("thresholds", {}).get("values", np.zeros(0, np.float32)),
        calibration=RiskCalibrator(**calibration) if calibration else None,
        means=ClassMeans.from_json(means, task.exclusive) if means else None,
        means_weight=float(means["weight"]) if means else 0.0,
        memory_counts=arrays.get("memory", {}).get("counts", np.zeros(0, np.float32)),
    )


def kept(predictor: LabelPredictor) -> Fitted:
    """A predictor of closed form, for :func:`ravl.kept.fitted`."""
    parts = arrays_of(predictor, Path())  # it has no network that would be saved
    flat = {f"{part}.{name}": array for part, its in parts.items() for name, array in its.items()}
    return Fitted(flat, describe(predictor))


def of_kept(found: Fitted, task: LabelTargets) -> LabelPredictor:
    """The inverse of :func:`kept`."""
    return _of(found.record, by_part(found.arrays), task)
