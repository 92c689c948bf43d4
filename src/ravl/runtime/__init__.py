"""Runs an exported run with onnxruntime and NumPy alone: no torch, no transformers.

>>> import ravl.runtime
>>> model = ravl.runtime.load("shirts-onnx", memory="shop.ravl")
>>> model.classify("new.jpg").label

``ravl.load``, ``ravl classify`` and the other commands, and ``ravl serve`` take an export as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravl.errors import DataError
from ravl.runtime.names import MANIFEST

if TYPE_CHECKING:
    from ravl.tasks.model import Model

__all__ = ["load"]


def load(folder: str | Path, memory: Any = None) -> Model:
    """What ``ravl export RUN --onnx FOLDER`` wrote, ready to answer as :func:`ravl.load` does.

    Args:
        folder: of the export.
        memory: to answer from, a :class:`ravl.Memory` or its file; None for the one that the run
            was fitted with.

    Raises:
        DataError: the folder holds no export, or files of it are missing or damaged.
        MemoryFileError: its memory is not where it was.
        EncoderMismatchError: the memory has another encoder now.
    """
    from ravl.tasks.model import load as load_model

    if not (Path(folder) / MANIFEST).is_file():
        raise DataError(f"{folder} holds no export. Make one with: ravl export RUN --onnx {folder}")
    return load_model(folder, memory)
