"""What all runs record of themselves: where they come from, and what they were made with."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravl._version import __version__
from ravl.encoders.base import Numbers
from ravl.evaluation import Score
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.training.example_source import Source
from ravl.training.loop_settings import LoopSettings
from ravl.training.refit_plan import RefitPlan


def config_of(
    task: str,
    memory: Memory,
    settings: LoopSettings,
    *sources: Source,
    again: RefitPlan | None = None,
) -> JsonObject:
    """All that the result of a fit depends on, as JSON types."""
    named = [None if s is None else str(s) for s in sources]
    return {
        "task": task,
        "memory": str(memory.path),
        "settings": settings.to_json(),
        "sources": named if again is None else [again.digest],
    }


def logs(out: Path) -> None:
    """Keep what TensorBoard reads, before the intermediate files go."""
    for folder in sorted((out / "work").glob("*/logs")):
        shutil.copytree(folder, out / "logs" / folder.parent.name, dirs_exist_ok=True)


def encoder_of(memory: Memory) -> JsonObject:
    """The fingerprint of a memory's encoder, as JSON types."""
    found: JsonObject = json.loads(memory.encoder.fingerprint.to_json())
    return found


def versions() -> dict[str, str]:
    """The versions of what a fit was made with."""
    names = ("torch", "transformers", "numpy", "scikit-learn")
    packages = {name: version(name) for name in names}
    return {"python": platform.python_version(), "ravl": __version__, **packages}


def tables_json(tables: Mapping[str, Mapping[str, Score]]) -> dict[str, JsonObject]:
    """Scores by row and metric, as JSON types."""
    return {name: {m: s.to_json() for m, s in scores.items()} for name, scores in tables.items()}


def risk_summary(
    confidence: Numbers,
    right: NDArray[np.bool_],
    limit: float,
    risk: float,
    given: NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """What abstaining does: the share of answers that it gives, and the errors among them.

    Args:
        confidence: of each answer, of any shape.
        right: whether it is.
        limit: confidence from which it is given.
        risk: share of errors that was aimed at.
        given: where there is an answer to be sure of; None for everywhere.
    """
    given = np.ones(confidence.shape, bool) if given is None else given
    sure = given & (confidence >= limit)
    answered, asked = int(sure.sum()), int(given.sum())
    wrong = float((sure & ~right).sum()) / answered if answered else 0.0
    return {
        "risk": risk,
        "threshold": round(limit, 4),
        "answered": round(answered / max(asked, 1), 4),
        "wrong": round(wrong, 4),
    }
