"""Graphs that run in onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ravl.encoders.base import Numbers
from ravl.errors import DataError
from ravl.threads import onnx_session


class Session:
    """A loaded graph.

    Args:
        path: the path of its file.

    Raises:
        DataError: the file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._session = onnx_session(path)
        except Exception as error:  # onnxruntime raises several kinds of exceptions
            raise DataError(
                f"{path} is missing or damaged ({error}). Export the run again."
            ) from error
        self.inputs = {i.name: i.shape for i in self._session.get_inputs()}

    def __call__(self, **arrays: Numbers) -> list[Numbers]:
        """The outputs in their order; inputs by name, unknown inputs are ignored."""
        given = {name: np.ascontiguousarray(arrays[name]) for name in self.inputs}
        found: list[Numbers] = self._session.run(None, given)
        return found

    def width(self, name: str) -> int:
        """The last dimension of an input, which is fixed."""
        return int(self.inputs[name][-1])
