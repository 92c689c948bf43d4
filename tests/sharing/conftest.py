"""Places of every kind, each new and empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.sharing.hub_stand_in import TOKEN, Hub, stand_in
from tests.watching import nothing_is_run


@pytest.fixture(scope="session")
def running_hub() -> Iterator[Hub]:
    with stand_in() as hub:
        yield hub


@pytest.fixture
def hub(running_hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """The stand-in, empty; its client has a token, and nothing of this machine's user."""
    for name in ("repos", "blobs", "asked", "fail"):
        getattr(running_hub, name).clear()
    monkeypatch.setenv("HF_ENDPOINT", running_hub.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    # Xet, which the hub itself prefers, has a client in Rust and a protocol of its own.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    return running_hub


@pytest.fixture(params=["folder", "file://", "memory://", "hub"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address where nothing lies yet."""
    if request.param == "hub":
        request.getfixturevalue("hub")
        return "hf:me/thing"
    if request.param == "memory://":
        return f"memory://{uuid4().hex}/thing"
    folder = str(tmp_path / "elsewhere" / "thing")
    return f"file://{folder}" if request.param == "file://" else folder


@pytest.fixture
def watched() -> Iterator[None]:
    """Nothing that is opened in the test runs a program or code, or calls anybody."""
    with nothing_is_run():
        yield
