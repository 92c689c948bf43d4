"""ravl refit and ravl rollback from the shell."""

from __future__ import annotations

import fcntl
import json

import pytest

from ravl.files.lock import LOCK
from ravl.memory import Memory
from tests.helpers import ColourEncoder
from tests.refitting.shop import grow

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def kinds(fitted, tmp_path):
    """A run of four colours, and new rows since."""
    with Memory.open(fitted / "shop.ravl", ColourEncoder()) as memory:
        grow(memory, ("purple", "red"), 16, 300)
    return (fitted / "linear").rename(fitted / "kinds")


def test_from_dry_run_to_rollback(run, kinds):
    code, out, err = run("refit", kinds, "--dry-run")
    assert (code, err) == (0, "")
    assert "16 new labelled pictures (purple 8, red 8), 0 labelled anew, 0 gone." in out
    assert "Not yet" in run("refit", kinds, "--dry-run", "--if-new", 17)[1]
    code, out, _ = run("refit", kinds, "--if-new", 17)
    assert (code, out) == (0, ""), "a timer writes no letter about nothing"
    _, out, _ = run("refit", kinds, "--if-new", 17, "--json")
    assert json.loads(out)["reason"].startswith("Not yet: 16 pictures were labelled since")
    code, out, err = run("refit", kinds, "--promote", "always", "--replay", 20)
    assert (code, err) == (0, "")
    for words in (
        "Both test splits together",
        "The frozen test split",
        "The newest test split",
        "challenger",
        "replaces the champion: as --promote always says",
        f"The report: {kinds.resolve()}/refits/0001.html",
    ):
        assert words in out
    assert max(map(len, out.splitlines())) < 160
    assert run("refit", kinds, "--quiet") == (0, "", "")
    code, out, _ = run("refit", kinds, "--json")
    assert json.loads(out)["state"] == "nothing" and json.loads(out)["version"] == 2
    said = f"{kinds} now answers with version 1. Its versions are 1, 2.\n"
    assert run("rollback", kinds)[1] == said
    assert run("rollback", kinds)[1] == said, "repeated, it changes nothing"
    assert json.loads(run("rollback", kinds, 2, "--json")[1])["version"] == 2
    code, _, err = run("rollback", kinds, 9)
    assert code == 1 and "no version 9 to go back to; there are: 1, 2" in err


def test_busy_and_wrong(run, kinds, tmp_path):
    with (kinds / LOCK).open("w") as file:
        file.write("process 7, since noon")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        code, out, _ = run("refit", kinds, "--json")
        assert code == 0 and "Another process works in" in out and "process 7" in out
    code, _, err = run("refit", tmp_path)
    assert code == 1 and "holds no fitted run" in err
    assert run("refit", kinds, "--promote", "maybe")[0] == 2
