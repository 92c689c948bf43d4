"""Exports of runs that read texts with pictures: match, and ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ravl
import ravl.runtime
from ravl.exports.run import export_run
from ravl.memory import Memory
from ravl.tasks.fit import fit
from tests.helpers import ColourEncoder, draw
from tests.tasks.ask.asked import KIND, TASTE, asked
from tests.training.painted import TEST, VALIDATION, Scrambled, paint
from tests.training.painted_labels import FUSION


@pytest.mark.slow
def test_match_by_the_fusion_model(tmp_path: Path, language: Path) -> None:
    with Memory.create(tmp_path / "painted.ravl", Scrambled()) as memory:
        memory.add(paint(tmp_path / "pictures", 60))
        settings = FUSION | {"epochs": 1, "language_model": str(language)}
        fit(
            "match",
            memory,
            out=tmp_path / "run",
            validation=VALIDATION,
            test=TEST,
            progress=False,
            **settings,
        )
        report = export_run(tmp_path / "run", tmp_path / "out", memory=memory, sample=6)
        assert report.manifest["networks"]["fusion"]["parity"]["real"] < 1e-4
        assert report.manifest["answers"]["same"] == report.manifest["answers"]["compared"] == 12
        pictures = [draw(1, "red"), draw(2, "blue")]
        texts = ["red and blue", "yellow below green number 3"]
        for how in ({}, {"retrieval": False}, {"vote_only": True}, {"k": 3}):
            run, export = (
                model.match(pictures, texts, **how)
                for model in (
                    ravl.load(tmp_path / "run", memory),
                    ravl.runtime.load(tmp_path / "out", memory),
                )
            )
            for a, b in zip(run, export, strict=True):
                assert (a.fits, a.signals.keys()) == (b.fits, b.signals.keys())
                assert b.score == pytest.approx(a.score, abs=1e-4)


@pytest.mark.slow
def test_answers_out_of_a_list_by_the_fusion_model(tmp_path: Path, language: Path) -> None:
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(asked(tmp_path / "pictures"))
        settings = FUSION | {"epochs": 1, "language_model": str(language)}
        fit("ask", memory, out=tmp_path / "run", progress=False, **settings)
        report = export_run(tmp_path / "run", tmp_path / "out", memory=memory, sample=6)
        assert report.manifest["networks"]["fusion"]["parity"]["real"] < 1e-4
        assert report.manifest["answers"]["same"] == report.manifest["answers"]["compared"] == 6
        pictures = [draw(1, "red"), draw(2, "blue")]
        ways: list[dict[str, Any]] = [{}, {"retrieval": False}, {"vote_only": True}]
        for how in ways:
            run, export = (
                model.ask(pictures, [KIND, TASTE], **how)
                for model in (
                    ravl.load(tmp_path / "run", memory),
                    ravl.runtime.load(tmp_path / "out", memory),
                )
            )
            for a, b in zip(run, export, strict=True):
                assert a.answer == b.answer
                assert b.confidence == pytest.approx(a.confidence, abs=1e-4)
