"""A predictor as files of a run, and out of them."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from ravl.encoders.base import Array
from ravl.encoders.heads import Head
from ravl.json_types import JsonObject
from ravl.models.calibration import RiskCalibrator
from ravl.models.generation.base import Decoding, Generator
from ravl.models.generation.candidate_ranker import CandidateRanker
from ravl.models.linear import Standardizer
from ravl.models.stacking import ScoreStack
from ravl.models.vote import Vote
from ravl.retrieval.datastore import SimilarityFloor
from ravl.runs.run import GENERATOR, Run
from ravl.tasks.caption.image_text_score import ImageTextScorer
from ravl.tasks.caption.predictor import TextPredictor
from ravl.tasks.caption.regions import Regions
from ravl.tasks.caption.targets import CaptionTargets

CHOOSERS = ("chooser", "alone")
HEADS = ("picture", "text")  # of the dual encoder


def describe(predictor: TextPredictor) -> JsonObject:
    """What ``run.json`` says of it."""
    how = asdict(predictor.how)
    return {
        **predictor.task.to_json(),
        "vote": predictor.vote.to_json(),
        "regions": predictor.regions.side if predictor.regions is not None else 0,
        "quotes": predictor.quotes,
        "composes": predictor.composes,
        "good": predictor.good,
        "usual": asdict(predictor.usual) if predictor.usual is not None else None,
        "how": {
            name: list(v) if isinstance(v, tuple) else v for name, v in how.items() if v is not None
        },
        "choosers": {
            name: list(found.names)
            for name in CHOOSERS
            if (found := getattr(predictor, name)) is not None
        },
        "powers": {name: getattr(predictor.fits, name).power for name in HEADS}
        if predictor.fits is not None
        else {},
        "doubts": {name: list(stack.names) for name, stack in predictor.doubts.items()},
        "generator": predictor.generator.spec if predictor.generator is not None else None,
        "reads_texts": False,  # by the base encoder, whatever the retriever was trained to be
    }


def arrays_of(predictor: TextPredictor, folder: Path) -> dict[str, dict[str, Array]]:
    """Its arrays; a generator that was trained is saved into the folder."""
    found = {"keys": predictor.keys.arrays()}
    if predictor.standard is not None:
        found["standard"] = predictor.standard.arrays()
    if predictor.regions is not None:
        found["regions"] = predictor.regions.standard.arrays()
    for name in CHOOSERS:
        chooser = getattr(predictor, name)
        if chooser is not None:
            found[name] = chooser.arrays()
    if predictor.fits is not None:
        found |= {name: getattr(predictor.fits, name).arrays() for name in HEADS}
    found |= {f"doubt_{name}": stack.arrays() for name, stack in predictor.doubts.items()}
    if predictor.calibration is not None:
        found["calibration"] = {
            "confidence": predictor.calibration.confidence,
            "right": predictor.calibration.right,
        }
    if predictor.generator is not None and hasattr(predictor.generator, "save"):
        predictor.generator.save(folder / GENERATOR)
    return found


def load_text_predictor(run: Run, task: CaptionTargets) -> TextPredictor:
    """The inverse of :func:`describe` and :func:`arrays_of`, for the task that the run says.

    Raises:
        DataError, EncoderError: files are missing or damaged.
    """
    record, arrays = run.record, run.arrays()
    how = Decoding.from_json(record["how"])
    calibration = arrays.get("calibration")
    standard = arrays.get("standard")
    choosers = {
        name: CandidateRanker.from_arrays(arrays[name], names)
        for name, names in record["choosers"].items()
    }
    heads = {
        name: Head.from_arrays(arrays[name], float(power))
        for name, power in record["powers"].items()
    }
    made = TextPredictor(
        task=task,
        keys=task.keys_of(arrays["keys"]),
        vote=Vote.from_json(record["vote"]),
        standard=Standardizer.from_arrays(standard) if standard else None,
        regions=_regions(int(record["regions"]), arrays),
        quotes=int(record["quotes"]),
        composes=bool(record.get("composes", False)),
        usual=SimilarityFloor(**record["usual"]) if record.get("usual") else None,
        good=str(record["good"]),
        doubts={
            name: ScoreStack.from_arrays(arrays[f"doubt_{name}"], names)
            for name, names in record["doubts"].items()
        },
        calibration=RiskCalibrator(**calibration) if calibration else None,
        how=how,
        fits=ImageTextScorer(heads["picture"], heads["text"]) if heads else None,
        **choosers,
    )
    return replace(made, generator=_generator(run, how)) if record["generator"] else made


MOST_REGIONS = 64  # a side


def _regions(side: int, arrays: dict[str, dict[str, Array]]) -> Regions | None:
    if not 0 <= side <= MOST_REGIONS:
        raise ValueError(f"'regions' is {side}; it must be 0 to {MOST_REGIONS}")
    return Regions(side, Standardizer.from_arrays(arrays["regions"])) if side else None


def _generator(run: Run, how: Decoding) -> Generator:
    spec = str(run.record["generator"])
    if spec == "fused":
        return run.networks.generator(run.folder / GENERATOR, how.max_new_tokens)
    from ravl.models.generation.constraints import processors
    from ravl.models.generation.loading import load_generator

    learned = run.folder / GENERATOR
    scheme = spec.partition(":")[0]
    named = f"{scheme}:{learned}" if learned.is_dir() else spec
    return load_generator(named, found_in=f"The run in {run.folder}", constrain=processors)
