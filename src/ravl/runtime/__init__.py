"""Answer with an exported run, using only onnxruntime and NumPy: no torch, no transformers.

>>> import ravl.runtime
>>> model = ravl.runtime.load("shirts-onnx", memory="shop.ravl")
>>> model.classify("new.jpg").label

``ravl.load``, ``ravl classify`` and the other commands, and ``ravl serve`` accept an export, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ravl.errors import DataError
from ravl.runtime.names import MANIFEST

if TYPE_CHECKING:
    from ravl.memory import Memory
    from ravl.tasks.model import Model

__all__ = ["load"]


def load(folder: str | Path, memory: Memory | str | Path | None = None) -> Model:
    """Load an export of ``ravl export RUN --onnx FOLDER``; it answers like :func:`ravl.load`.

    Args:
        folder: the folder of the export.
        memory: the memory to answer from, a :class:`ravl.Memory` or its file; None means the memory
            that the run was fitted with.

    Raises:
        DataError: the folder is not an export, or files are missing or damaged.
        MemoryFileError: the memory is not at its place.
        EncoderMismatchError: the memory has another encoder.
    """
    from ravl.tasks.model import load as load_model

    if not (Path(folder) / MANIFEST).is_file():
        raise DataError(
            f"{folder} is not an export. Make an export with: ravl export RUN --onnx {folder}"
        )
    return load_model(folder, memory)
