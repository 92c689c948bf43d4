"""The lists of folders (Chinese README, architecture page) are those of the source."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.project.files import ROOT

LISTS = {
    "README.zh-CN.md": r"^  (\w+)/ ",
    "docs/concepts/architecture.md": r"^\| `(\w+)/` \|",
}


def layers() -> list[str]:
    """The folders in the order in which the import linter holds them, the lowest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (order,) = [c["layers"] for c in settings["contracts"] if c["type"] == "layers"]
    names = [name.removeprefix("ravl.") for name in reversed(order)]
    return [name for name in names if (ROOT / "src/ravl" / name).is_dir()]


def test_every_folder_is_a_layer() -> None:
    folders = {file.parent.name for file in (ROOT / "src/ravl").glob("*/__init__.py")}
    assert folders == set(layers())


@pytest.mark.parametrize("page", LISTS)
def test_pages_list_the_folders_in_their_order(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert re.findall(LISTS[page], text, re.MULTILINE) == layers()
