"""ravl forget from the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ravl.memory import Memory
from tests.helpers import ColourEncoder
from tests.labelled import shades
from tests.refitting.shop import fitted, grow

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(shades(tmp_path / "pictures"))
        run = fitted(memory, tmp_path / "kinds")
        grow(memory, ("purple", "red"), 16, 300)
    return run


def test_forget(run: Any, kinds: Path) -> None:
    shop = kinds.parent / "shop.ravl"
    id = json.loads((kinds / "split.json").read_text("utf-8"))["train"][0]
    code, out, err = run("forget", shop, id, "--dry-run")
    assert (code, err) == (0, "")
    assert f"{shop}: " in out and f"{kinds}: 1 learned from, 0 judged by" in out
    assert run("get", shop, id)[0] == 0, "nothing was erased"

    code, out, err = run("forget", shop, id, "--audit", kinds, "--yes")
    assert (code, err) == (0, "")
    assert out.startswith(f"Erased 1 rows from {shop}.")
    assert f"{kinds}: 1 learned from, 0 judged by\n  ravl refit {kinds} --promote always\n" in out
    assert f"{kinds / 'split.json'}: id, hash\n  ravl refit {kinds} --promote always\n" in out
    assert f"{kinds.parent / 'pictures' / id}: picture\n  It is the picture itself." in out
    assert "backups" in out
    assert run("get", shop, id)[0] == 1

    code, _, err = run("forget", shop, id, "--yes")
    assert code == 1 and "--dry-run" in err
    for asked in (("--audit", kinds), ("--dry-run",)):
        code, out, err = run("forget", shop, id, *asked)
        assert (code, err) == (0, "") and "Erased" not in out
        assert f"{kinds / 'split.json'}: id, hash" in out
        assert f"{shop}: " not in out


def test_what_no_run_knows(run: Any, kinds: Path) -> None:
    shop, late = kinds.parent / "shop.ravl", "purple_300.png"
    (kinds.parent / "pictures" / late).unlink()
    code, out, _ = run("forget", shop, late, "--yes")
    assert code == 0 and "Nothing of them was found elsewhere." in out
    code, out, _ = run("forget", shop, late, "--dry-run", "--json")
    found = json.loads(out)
    assert (code, found["deleted"], found["runs"], found["files"]) == (0, 0, [], [])
    code, _, err = run("forget", shop, "nobody", "--yes")
    assert code == 1 and "nobody" in err
