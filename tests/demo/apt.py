"""A tiny Debian package, and an apt that knows no other."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ravl.demo.debian import UnknownPackageError

NAME, VERSION = "some-stamps", "1:2.0-1"


def build_deb(folder: Path, files: Mapping[str, bytes], more: Callable[[Path], None]) -> Path:
    """A package with these files, and what ``more`` puts beside them; skips without dpkg-deb."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb, which builds and reads packages, is not on this machine")
    tree = folder / "tree"
    control = f"Package: {NAME}\nVersion: {VERSION}\nArchitecture: all\n"
    control += "Maintainer: nobody <nobody@example.org>\nDescription: pictures\n"
    for name, content in {**files, "DEBIAN/control": control.encode()}.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    more(tree)
    deb = folder / "built.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--build", tree, deb], check=True, capture_output=True)
    return deb


def forge_deb(path: Path, members: Iterable[tarfile.TarInfo], content: bytes) -> Path:
    """A package with members that dpkg-deb would not put into one; its files get the content."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb, which reads packages, is not on this machine")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))
    parts = {"debian-binary": b"2.0\n", "control.tar": b"", "data.tar": data.getvalue()}
    with path.open("wb") as deb:
        deb.write(b"!<arch>\n")
        for name, part in parts.items():
            deb.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(part):<10}`\n".encode())
            deb.write(part)
    return path


@dataclass
class FakeApt:
    """Runs what :func:`ravl.demo.debian.download` asks for, without a network.

    Args:
        content: of the package's file.
        sha256: what the index says; None for the truth.
        lists: whether the machine has package lists.
        fails: commands of apt-get that fail, and with what.
    """

    content: bytes = b"a package"
    sha256: str | None = None
    lists: bool = True
    fails: dict[str, Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, command: Sequence[str], folder: Path, timeout: float) -> str:
        assert timeout > 0
        private = any(part.startswith("Dir::State::lists=") for part in command)
        verb = next(part for part in command if part in ("show", "update", "download"))
        self.asked.append(f"private {verb}" if private else verb)
        if verb in self.fails:
            raise self.fails[verb]
        if verb == "show":
            if not self.lists and "private update" not in self.asked:
                raise UnknownPackageError("apt-cache says: No packages found.")
            return self.record()
        if verb == "download":
            assert command[-1] == f"{NAME}={VERSION}"
            (folder / f"{NAME}_{VERSION.replace(':', '%3a')}_all.deb").write_bytes(self.content)
        return ""

    def record(self) -> str:
        sha256 = self.sha256 or hashlib.sha256(self.content).hexdigest()
        return (
            f"Package: {NAME}\nVersion: {VERSION}\nSize: {len(self.content)}\n"
            f"Description: pictures\n SHA256: of a long description\nSHA256: {sha256}\n\n"
        )
