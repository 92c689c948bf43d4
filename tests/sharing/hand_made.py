"""Folders that look like runs, and places that look pushed to: quick to make, easy to spoil."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ravl.sharing.manifest import is_safe

RUN: dict[str, Any] = {
    "format": 1,
    "task": "classify",
    "level": "vote",
    "encoder": {"spec": "colour"},
    "memory": {"path": "/home/ann/shop.ravl", "relative": "../shop.ravl", "version": 3},
}


def make_run(folder: Path, **files: str) -> Path:
    """A run of five files, more of them by name with "__" for "/" and "_" for "."."""
    texts = {
        "run.json": json.dumps(RUN),
        "metrics.json": "{}",
        "report.html": "<p>",
        "fusion/config.json": '{"a": 1}',
        "predictor.safetensors": "weights",
    }
    texts |= {n.replace("__", "/").replace("_", "."): text for n, text in files.items()}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def make_place(folder: Path, contents: Mapping[str, bytes], **about: Any) -> Path:
    """What a push of these files would leave; written only where the names stay inside."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {n: {"size": len(d), "sha256": sha256(d).hexdigest()} for n, d in contents.items()}
    record = {
        "format": 1,
        "kind": "run",
        "name": "shirts",
        "memory": None,
        "complete": True,
        "files": entries,
        **about,
    }
    (folder / "ravl.json").write_text(json.dumps(record), "utf-8")
    for name, data in contents.items():
        if is_safe(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    return folder
