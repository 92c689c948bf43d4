"""A match predictor as files of a run, and out of them."""

from __future__ import annotations

from pathlib import Path

from ravl.encoders.base import Array
from ravl.encoders.heads import Head
from ravl.json_types import JsonObject
from ravl.models.calibration import RiskCalibrator
from ravl.models.linear import Standardizer
from ravl.models.stacking import ScoreStack
from ravl.models.vote import Vote
from ravl.retrieval.key_projection import KeyProjection
from ravl.runs.row_texts import TextTargets
from ravl.runs.run import FUSION, Run
from ravl.tasks.match.predictor import MatchPredictor
from ravl.tasks.match.task import MatchTask

HEADS = ("picture_head", "text_head")


def describe(predictor: MatchPredictor) -> JsonObject:
    """What ``run.json`` says of it."""
    return {
        "task": MatchTask.name,
        "column": predictor.task.column,
        "vote": predictor.vote.to_json(),
        "stacks": {name: list(stack.names) for name, stack in predictor.stacks.items()},
        "thresholds": dict(predictor.thresholds),
        "powers": {
            name: head.power for name in HEADS if (head := getattr(predictor, name)) is not None
        },
        "longest": predictor.words.max_length if predictor.words else 0,
        # Texts are read by the base encoder, whatever the memory's retriever was trained to be;
        # MatchModel compares that.
        "reads_texts": False,
    }


def arrays_of(predictor: MatchPredictor, folder: Path) -> dict[str, dict[str, Array]]:
    """Its arrays; a fusion model and its tokenizer are saved into the folder."""
    found = {"keys": predictor.keys.arrays(), "standard": predictor.standard.arrays()}
    found |= {f"stack_{name}": stack.arrays() for name, stack in predictor.stacks.items()}
    for name in HEADS:
        head = getattr(predictor, name)
        if head is not None:
            found[name] = head.arrays()
    if predictor.calibration is not None:
        found["calibration"] = {
            "confidence": predictor.calibration.confidence,
            "right": predictor.calibration.right,
        }
    if predictor.reader is not None and predictor.words is not None:
        predictor.reader.save(folder / FUSION)
        predictor.words.save(folder / FUSION)
    return found


def load_match_predictor(run: Run) -> MatchPredictor:
    """The inverse of :func:`describe` and :func:`arrays_of`."""
    record, arrays = run.record, run.arrays()
    reader = words = None
    if (run.folder / FUSION).is_dir():
        reader, words = run.networks.reader(run.folder / FUSION, int(record["longest"]))
    calibration = arrays.get("calibration")
    heads = {
        name: Head.from_arrays(arrays[name], float(power))
        for name, power in record["powers"].items()
    }
    return MatchPredictor(
        task=TextTargets(record["column"]),
        keys=KeyProjection.from_arrays(arrays["keys"]),
        standard=Standardizer.from_arrays(arrays["standard"]),
        vote=Vote.from_json(record["vote"]),
        stacks={
            name: ScoreStack.from_arrays(arrays[f"stack_{name}"], names)
            for name, names in record["stacks"].items()
        },
        thresholds=dict(record["thresholds"]),
        reader=reader,
        words=words,
        calibration=RiskCalibrator(**calibration) if calibration else None,
        **heads,
    )
