"""Makes a package visible as if it were installed, without pip and without network."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent


def write_metadata(
    site: Path, package: str, groups: Mapping[str, Mapping[str, str]], version: str = "1.0"
) -> None:
    """The ``.dist-info`` folder that an installer would write into ``site``.

    Args:
        site: the folder that shall be on ``sys.path``.
        package: the name of the distribution.
        groups: its entry points, group -> name -> ``"module:attribute"``.
        version: of the distribution.
    """
    folder = site / f"{package.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    (folder / "METADATA").write_text(metadata)
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")


def install(site: Path, project: Path) -> None:
    """A project of this folder, copied to ``site`` with the metadata of its ``pyproject.toml``."""
    described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    shutil.copytree(project / project.name, site / project.name)
    write_metadata(site, described["name"], described["entry-points"], described["version"])


@contextmanager
def visible(site: Path) -> Iterator[None]:
    """While it lasts, packages of ``site`` can be found and imported; then they are forgotten."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        yield
    for name in set(sys.modules) - before:
        place = getattr(sys.modules[name], "__file__", None)
        if place and Path(place).is_relative_to(site):
            del sys.modules[name]
