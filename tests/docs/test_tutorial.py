"""The tutorial, done as it is written: every command on the sample set, with the server running."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks

SAMPLES = Path.home() / ".cache/ravl/samples/tuxpaint-stamps-1"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SAMPLES.is_dir(), reason="run `make demo` first: it fetches the samples"
    ),
]


def test_the_tutorial_works_as_written(tmp_path):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    printed = []
    server, port = None, "8000"
    try:
        for kind, text in blocks((DOCS / "tutorial.md").read_text("utf-8")):
            if kind != "sh":
                continue
            script = text.replace("8000", port).replace("curl ", "curl -sS ")
            if script.startswith("ravl serve"):
                server = subprocess.Popen(
                    [*script.split(), "--port", "0"],
                    cwd=tmp_path,
                    env=environment,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                assert server.stdout is not None
                ready = re.match(r"Ready at http://127.0.0.1:(\d+) ", server.stdout.readline())
                assert ready
                port = ready[1]
                continue
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{script}\n{done.stderr}"
            printed.append(done.stdout)
    finally:
        if server is not None:
            server.terminate()
            server.communicate(timeout=60)
    assert "Added 350" in printed[1]
    answers = [
        json.loads(found)["answer"]
        for found in re.findall(r'\{"answer":\{"label".*?"request":"\w+"\}', "\n".join(printed))
    ]
    assert [answer["label"] for answer in answers] == ["food", "food", "space"]
    assert answers[1]["confidence"] == pytest.approx(0.86, abs=0.02)
    assert answers[2]["confidence"] == pytest.approx(0.94, abs=0.02)
    assert answers[2]["gate"] == pytest.approx(0.97, abs=0.02)
