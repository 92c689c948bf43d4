"""ravl serve from the shell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest

from ravl.memory import Memory
from tests.helpers import ColourEncoder, make_examples
from tests.waiting import PATIENCE

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures", 4))
    return tmp_path / "shop.ravl"


def test_a_new_key_is_shown_once_and_kept_as_a_hash(run, tmp_path):
    file = tmp_path / "keys.txt"
    code, out, _ = run("serve", "--new-key", "read", "--keys", file, "--name", "web")
    key = out.splitlines()[0]
    assert code == 0 and key.startswith("ravl_") and len(key) > 40
    assert file.read_text().startswith("web read sha256:") and key not in file.read_text()
    code, out, _ = run("serve", "--new-key", "admin")
    assert "RAVL_KEYS" in out and "admin sha256:" in out
    code, out, err = run("serve", "--new-key", "write", "--keys", file, "--name", "web")
    assert code == 1 and "called 'web'" in err


def test_what_cannot_be_served_is_a_sentence(run, tmp_path, shop):
    (tmp_path / "empty").mkdir()
    for arguments, says in (
        ((), "Give a run or a memory"),
        ((shop, "--host", "0.0.0.0"), "Without keys the server listens on 127.0.0.1 only"),
        ((shop, "--keys", tmp_path / "none"), "cannot be read"),
        ((tmp_path / "empty",), "holds no fitted run"),
        ((tmp_path / "gone.ravl",), "holds no fitted run"),
        ((shop, "--memory", shop), "more are named"),
        ((shop, "--drift-window", 5), "A window is of 5 pictures; it must be of 20 to 10,000"),
        ((shop, "--drift-rate", 2), "The rate is 2; it must be a share from 0.005 to 0.5"),
    ):
        code, _, err = run("serve", *arguments)
        assert code != 0
        assert says in err and "Traceback" not in err


def test_a_folder_that_cannot_be_written_needs_other_places(run, shop, monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: p != shop.parent and access(p, mode))
    code, _, err = run("serve", shop)
    assert code == 1 and "ravl serve --audit FILE --feedback FILE" in err
    assert not list(shop.parent.glob("*.audit"))


def test_the_watch_for_drift_is_by_default_as_it_is_in_python():
    from ravl.cli.serving import serve
    from ravl.drift.windows import RATE, WINDOW

    given = {option.name: option.default for option in serve.params}
    assert (given["drift_window"], given["drift_rate"]) == (WINDOW, RATE)


def test_runs_of_different_memories_are_refused(run, fitted, tmp_path):
    import json
    import shutil

    shutil.copytree(fitted, tmp_path / "other")
    record = json.loads((tmp_path / "other/tags/run.json").read_text())
    record["memory"] = {"path": str(tmp_path / "other/shop.ravl"), "relative": "../shop.ravl"}
    (tmp_path / "other/tags/run.json").write_text(json.dumps(record))
    code, _, err = run("serve", fitted / "linear", tmp_path / "other" / "tags")
    assert code == 1 and "One server answers from one memory" in err
    shutil.copytree(fitted / "linear", tmp_path / "again" / "linear")
    code, _, err = run(
        "serve", fitted / "linear", tmp_path / "again" / "linear", "--memory", fitted / "shop.ravl"
    )
    assert code == 1 and "Two models would be called 'linear'" in err


def test_help_imports_no_server():
    program = (
        "import sys, ravl.cli\ntry: ravl.cli.main(['serve', '--help'])\nexcept SystemExit: pass\n"
    )
    program += "assert not {'torch', 'fastapi', 'uvicorn', 'pydantic'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "RUN_OR_MEMORY" in done.stdout


@pytest.mark.slow
def test_a_real_process_is_ready_answers_and_stops(tmp_path):
    shop = tmp_path / "shop.ravl"
    ravl = [sys.executable, "-c", "from ravl.cli import main; main()"]
    make_examples(tmp_path / "pictures", 4)
    subprocess.run([*ravl, "index", "pictures", "-m", shop, "-q"], cwd=tmp_path, check=True)
    process = subprocess.Popen(
        [*ravl, "serve", str(shop), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first.startswith("Ready at http://127.0.0.1:")
    url = first.split()[2]
    picture = (tmp_path / "pictures" / "red_000.png").read_bytes()
    found = httpx.post(f"{url}/v1/search", files={"picture": picture}, timeout=PATIENCE).json()
    assert found["hits"][0]["id"] == "red_000.png"
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) in (0, -signal.SIGTERM)
    process.stdout.close()
