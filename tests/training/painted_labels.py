"""A fit of the fusion model as a process of its own, to be killed at it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ravl.memory import Memory
from ravl.tasks.fit import fit
from tests.helpers import ColourEncoder
from tests.training.stopping import wait_at

FUSION: dict[str, Any] = {
    "model": "fusion",
    "epochs": 3,
    "patience": 3,
    "batch_size": 12,
    "tune_language_model": "top:1",
    "learning_rate": 0.003,
    "num_evidence": 4,
}

if __name__ == "__main__":
    file, out, changes = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    if len(sys.argv) > 4:
        wait_at(int(sys.argv[4]), inside="fusion")  # not fusion_off, which is trained first
    with Memory.open(file, ColourEncoder()) as memory:
        print("ready", flush=True)
        fit("classify", memory, out=out, progress=False, **FUSION | changes)
    print("done", flush=True)
