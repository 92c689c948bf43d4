"""A caption run, exported: it writes the same texts, piece by piece as well, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ravl
import ravl.runtime
from ravl.errors import QueryError
from ravl.exports.run import export_run
from ravl.memory import Memory
from ravl.models.generation.base import Decoding
from ravl.tasks.fit import fit
from tests.exports.test_run import SCRIPT
from tests.helpers import ColourEncoder, draw
from tests.tasks.caption.coloured import coloured


def test_captions_by_vote(tmp_path: Path) -> None:
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(coloured(tmp_path / "pictures", 30))
        fit("caption", memory, out=tmp_path / "run", progress=False, model="vote", k=8)
        report = export_run(tmp_path / "run", tmp_path / "out", memory=memory, sample=6)
        assert report.manifest["networks"] == {}
        assert report.manifest["answers"]["same"] == report.manifest["answers"]["compared"] == 6
        pictures = [draw(9000 + i, colour) for i, colour in enumerate(("red", "blue", "green"))]
        run = ravl.load(tmp_path / "run", memory).caption(pictures)
        export = ravl.runtime.load(tmp_path / "out", memory).caption(pictures)
    assert [(a.text, a.others) for a in export] == [(a.text, a.others) for a in run]
    assert [[e.id for e in a.evidence] for a in export] == [[e.id for e in a.evidence] for a in run]


@pytest.mark.slow  # the generator's graphs alone: tests/runtime/test_generator.py
def test_a_caption_run(tmp_path: Path, language: Path) -> None:
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(coloured(tmp_path / "pictures", 60))
        fit(
            "caption",
            memory,
            out=tmp_path / "run",
            validation="part = 'validation'",
            test="part = 'test'",
            progress=False,
            model="generator",
            epochs=1,
            batch_size=16,
            learning_rate=3e-3,
            language_model=str(language),
            layers=1,
            words=300,
            num_beams=2,
            reward_epochs=0,
            num_evidence=2,
            k=8,
            regions=2,
            precision="full",
        )
        assert "# run\n" in (tmp_path / "run" / "README.md").read_text("utf-8")
        report = export_run(tmp_path / "run", tmp_path / "out", memory=memory, sample=6)
        assert report.manifest["networks"]["write"]["parity"]["real"] < 1e-4
        assert report.manifest["answers"]["same"] == report.manifest["answers"]["compared"] == 6
        run = ravl.load(tmp_path / "run", memory)
        export = ravl.runtime.load(tmp_path / "out", memory)
        pictures = [draw(9000 + i, colour) for i, colour in enumerate(("red", "blue", "green"))]
        for how in (
            {},
            {"retrieval": False},
            {"vote_only": True},
            {"how": Decoding(num_return_sequences=3)},
        ):
            expected, found = run.caption(pictures, **how), export.caption(pictures, **how)
            assert [a.text for a in found] == [a.text for a in expected]
            assert [a.others for a in found] == [a.others for a in expected]
            for a, b in zip(found, expected, strict=True):
                assert a.confidence == pytest.approx(b.confidence, abs=1e-4)
        streams = [model.predictor.stream(pictures[0]) for model in (run, export)]
        assert "".join(streams[0]) == "".join(streams[1])
        with pytest.raises(QueryError, match="An exported run cannot do require"):
            export.caption(pictures, how=Decoding(require=("red",)))
    subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "out", tmp_path / "m.ravl", "caption"],
        check=True,
        cwd=Path(__file__).parents[2],
    )
