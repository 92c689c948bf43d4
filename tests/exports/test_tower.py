"""A tuned vision tower, exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ravl.encoders import Encoder
from ravl.encoders.towers.freezing import trainable
from ravl.encoders.towers.vision import VisionTower
from ravl.exports.graphs import tower_graph
from ravl.exports.onnx_files import write_onnx
from ravl.runtime.names import VISION
from ravl.runtime.tower import OnnxTower
from tests.helpers import draw


def test_it_sees_what_the_tower_sees(builtin: Encoder, tmp_path: Path) -> None:
    tower = VisionTower(builtin, "top:1", side=256)
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():  # as if it had learned something
        for _, parameter in trainable(tower.whole):
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=chance))
    told = write_onnx(tower_graph(tower), tmp_path / f"{VISION}.onnx")
    assert told["inputs"] == {"pictures": ["n", 3, 224, 224]}
    assert told["parity"]["random"] < 1e-3
    exported = OnnxTower(tmp_path, builtin)
    prepared = [exported.prepare(draw(i, "red")) for i in range(3)]
    expected, found = tower.features(prepared), exported.features(prepared)
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
    assert exported.features([]).shape == (0, 1280)
