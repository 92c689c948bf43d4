"""A graph as an ONNX file that computes what torch computes, or none at all."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import torch

from ravl.encoders.base import Array
from ravl.encoders.builtin_parts import silence
from ravl.errors import EncoderError
from ravl.exports.graphs import Graph
from ravl.json_types import JsonObject
from ravl.runtime.sessions import Session

TOLERANCE = 1e-3  # largest difference that is allowed, against outputs of size 1 or their largest
OTHER = {"b": 5, "n": 3, "t": 9, "k": 1, "l": 1, "p": 0, "s": 7}  # sizes that the example has not


def write_onnx(graph: Graph, path: Path) -> JsonObject:
    """Export a graph and check it on random inputs, of the example's sizes and of others.

    Returns:
        What the manifest says: ``opset``, ``bytes``, ``inputs`` with their shapes, and under
        ``parity`` the ``random`` difference with its ``tolerance``.

    Raises:
        EncoderError: it computes something else in onnxruntime than in torch.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with silence():
            program = torch.onnx.export(
                graph.module,
                tuple(graph.inputs.values()),
                path,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_shapes=_shapes(graph),
                external_data=False,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # of any kind: the exporter traces code that others wrote
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EncoderError(
            f"The network {graph.name!r} cannot be exported to ONNX: {reason}"
        ) from error
    session = Session(path)
    worst = max(_random(graph, session, graph.inputs), _random(graph, session, _others(graph)))
    check(graph.name, worst)
    assert program is not None
    return {
        "file": path.name,
        "opset": int(program.model.opset_imports[""]),
        "bytes": path.stat().st_size,
        "inputs": {name: _shape(graph, name) for name in session.inputs},
        "parity": {"random": worst, "tolerance": TOLERANCE},
    }


def difference(found: Array, expected: Array) -> float:
    """The largest, in outputs of size 1; of larger outputs relative to the largest."""
    if not expected.size:
        return 0.0
    wide = [np.asarray(x, np.float64) for x in (found, expected)]
    return float(np.abs(wide[0] - wide[1]).max() / max(1.0, np.abs(wide[1]).max()))


def check(name: str, worst: float) -> None:
    """Refuse a difference above the tolerance.

    Raises:
        EncoderError: says how large it is.
    """
    if not worst <= TOLERANCE:
        raise EncoderError(
            f"The network {name!r} computes something else in onnxruntime than in torch "
            f"(difference {worst:.2g}, allowed {TOLERANCE:g}). Please report it with your versions "
            "of both."
        )


def _random(graph: Graph, session: Session, inputs: dict[str, torch.Tensor]) -> float:
    with torch.inference_mode(), silence():
        made = graph.module(*inputs.values())
    expected = [made] if isinstance(made, torch.Tensor) else list(made)
    found = session(**{name: value.numpy() for name, value in inputs.items()})
    return max(difference(f, e.numpy()) for f, e in zip(found, expected, strict=True))


def _others(graph: Graph) -> dict[str, torch.Tensor]:
    """Inputs of other sizes."""
    chance = torch.Generator().manual_seed(1)
    made = {}
    for name, example in graph.inputs.items():
        axes = graph.axes[name]
        shape = [OTHER[axes[i]] if i in axes else size for i, size in enumerate(example.shape)]
        if example.dtype == torch.bool:
            made[name] = torch.ones(shape, dtype=torch.bool)
        elif example.dtype == torch.int64:
            made[name] = torch.randint(1, int(example.max()) + 1, shape, generator=chance)
        else:
            made[name] = torch.rand(shape, generator=chance)
    return made


def _shapes(graph: Graph) -> tuple[object, ...]:
    """Which sizes may change, in the order of the module's arguments."""
    moving: object = torch.export.Dim.DYNAMIC
    each = [dict.fromkeys(graph.axes[name], moving) for name in graph.inputs]
    kinds = [p.kind for p in inspect.signature(graph.module.forward).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        return tuple(each)
    fixed = len(kinds) - 1
    return (*each[:fixed], tuple(each[fixed:]))


def _shape(graph: Graph, name: str) -> list[int | str]:
    axes = graph.axes[name]
    return [axes.get(i, size) for i, size in enumerate(graph.inputs[name].shape)]
