from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ravl.addresses import allow
from ravl.errors import EncoderError, EncoderMismatchError
from ravl.models.generation.saving import FILE, Settings, read_settings, write_settings

NETWORK: Any = SimpleNamespace(base="abc", strategy="top:2")


def test_it_says_what_the_weights_belong_to(tmp_path: Path) -> None:
    write_settings(tmp_path / "a" / "b", "chat", "some/model", NETWORK, {"evidence": 3})
    allow("hf:some/model")
    found = read_settings(tmp_path / "a" / "b", "chat")
    assert found == Settings("chat", "some/model", "abc", "top:2", {"evidence": 3})
    found.check(NETWORK)
    with pytest.raises(EncoderMismatchError, match=r"some/model has other weights now \(xyz\)"):
        found.check(SimpleNamespace(base="xyz"))  # type: ignore[arg-type]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="not the file of a trained generator"):
        read_settings(tmp_path)
    allow("hf:some/model")
    write_settings(tmp_path, "chat", "some/model", NETWORK, {})
    with pytest.raises(EncoderError, match="of the kind 'chat', not 'causal'"):
        read_settings(tmp_path, "causal")
    data = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**data, "format": 2}))
    with pytest.raises(EncoderError, match="newer ravl"):
        read_settings(tmp_path)
    (tmp_path / FILE).write_bytes(b"\xff")
    with pytest.raises(EncoderError, match="not the file"):
        read_settings(tmp_path)
