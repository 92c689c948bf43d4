from __future__ import annotations

import re
import threading

from scripts.walk import PAGE, SOURCE, TITLES, commands, recorded

from ravl.retrieval.ranking import ranking
from ravl.timing import measured, step
from tests.project.files import ROOT

FILE = re.compile(r"^ *(?P<file>[\w/]+\.py): (?P<names>.+)$", re.M)


def test_it_records_what_runs_in_all_threads():
    def work():
        with measured(), step("encode"):
            pass

    with recorded() as walk:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert [(file, name) for _, file, name in walk.steps][:3] == [
        ("timing.py", "measured"),
        ("timing.py", "Clock.__init__"),
        ("timing.py", "step.__init__"),
    ]
    assert walk.calls["timing.py", "Clock.switch"] == 2
    assert walk.changes == 0, "in the main thread nothing ran"
    assert "timing.py: measured\n  timing.py: Clock.__init__" in walk.text()
    assert walk.figures().startswith("1 files, ")


def test_nothing_is_recorded_afterwards():
    with recorded() as walk:
        pass
    with measured():
        pass
    assert not walk.steps


def test_the_page_has_every_walk_and_names_files_that_are_there(tmp_path):
    (tmp_path / "pictures" / "red").mkdir(parents=True)
    (tmp_path / "pictures" / "red" / "0.png").touch()
    assert set(TITLES) == set(commands(tmp_path))
    text = PAGE.read_text("utf-8")
    assert [title for title, _ in TITLES.values()] == re.findall(r"^## (.+)$", text, re.M)
    files = {found["file"] for found in FILE.finditer(text)}
    gone = sorted(file for file in files if not (ROOT / "src" / "ravl" / file).is_file())
    assert files and not gone, "run python scripts/walk.py again"


def test_it_looks_at_the_code_that_is_imported():
    assert ranking.__code__.co_filename.startswith(SOURCE)
