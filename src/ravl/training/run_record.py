"""What all runs record of themselves: where they come from, and what they were made with."""

from __future__ import annotations

import json
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.training.fit_settings import FitSettings
from ravl.training.loop_settings import LoopSettings
from ravl.training.sources import Source


def config_of(
    task: str, memory: Memory, settings: LoopSettings, *sources: Source
) -> dict[str, Any]:  # fmt: skip
    """All that the result of a fit depends on, as JSON types.

    Raises:
        DataError: match shall be looked at again, by itself.
    """
    if task == "match" and isinstance(settings, FitSettings) and settings.rerank:
        raise DataError(
            f"rerank is {settings.rerank!r}, but a match run looks at searches again as it is: "
            "ravl search --rerank RUN. Leave it out, or use it with ravl fit classify or tag."
        )
    return {
        "task": task, "memory": str(memory.path), "settings": settings.to_json(),
        "sources": [None if s is None else str(s) for s in sources],
    }  # fmt: skip


def logs(out: Path) -> None:
    """Keep what TensorBoard reads, before the intermediate files go."""
    for folder in sorted((out / "work").glob("*/logs")):
        shutil.copytree(folder, out / "logs" / folder.parent.name, dirs_exist_ok=True)


def encoder_of(memory: Memory) -> dict[str, Any]:
    """The fingerprint of a memory's encoder, as JSON types."""
    found: dict[str, Any] = json.loads(memory.encoder.fingerprint.to_json())
    return found


def versions() -> dict[str, str]:
    """Of what a fit was made with."""
    names = ("ravl", "torch", "transformers", "numpy", "scikit-learn")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
