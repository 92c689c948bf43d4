"""The core in one file gives the library's own numbers."""

from __future__ import annotations

import ast
import json
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from examples import one_file
from ravl.memory import Memory
from ravl.runs.run import open_run
from ravl.tasks.fit import fit
from ravl.tasks.labels.model import LabelPipeline
from ravl.tasks.labels.predictor import Queries
from tests.helpers import ColourEncoder
from tests.once import copy_of

FILE = Path(one_file.__file__)


@pytest.fixture(scope="module")
def plain(fitted_once, tmp_path_factory):
    """A folder with a memory and a run of the library with plain keys."""
    folder = copy_of(fitted_once, tmp_path_factory.mktemp("plain") / "fitted")
    with Memory.open(folder / "shop.ravl", ColourEncoder()) as memory:
        fit("classify", memory, out=folder / "plain", progress=False, model="linear", whiten="no")
    return folder


@pytest.fixture(scope="module")
def both(plain):
    """Answers (probabilities, vote, model) of one file and of the library; the test split."""
    with Memory.open(plain / "shop.ravl", ColourEncoder()) as memory:
        ids, features, labels, groups, names = one_file.read(memory)
        split = json.loads((plain / "plain" / "split.json").read_text("utf-8"))
        places = {id: i for i, id in enumerate(ids)}
        train, held, test = (
            np.array([places[id] for id in sorted(split[part], key=places.__getitem__)])
            for part in ("train", "validation", "test")
        )
        mine = one_file.Classifier(features, labels, groups, train, held)
        library = LabelPipeline(open_run(plain / "plain"), memory)
        # The test pictures are rows too: the one file does not count how much a memory has grown.
        fitted = library.label_predictor
        library.label_predictor = replace(fitted, gate=replace(fitted.gate, growth=0.0))
        hidden = [np.unique(groups[test])] * len(test)
        theirs = library.judge(Queries(features[test]), hidden)
        assert theirs.names == names
        return mine, library.label_predictor, mine(features[test]), theirs, labels[test]


@pytest.mark.parametrize(("i", "name"), [(0, "probabilities"), (1, "votes"), (2, "own")])
def test_it_gives_the_librarys_probabilities(both, i, name):
    _, _, mine, theirs, _ = both
    np.testing.assert_allclose(mine[i], getattr(theirs, name), atol=1e-4)  # of L-BFGS in float32


def test_it_chooses_as_the_library_does(both):
    mine, theirs, *_ = both
    assert (mine.vote.k, mine.vote.temperature) == (theirs.vote.k, theirs.vote.temperature)
    assert mine.vote.balance == theirs.vote.class_balance
    assert mine.gate.temperature == pytest.approx(theirs.gate.temperature, abs=1e-3)
    np.testing.assert_allclose(mine.gate.weights, theirs.gate.weights, atol=1e-3)


def test_its_accuracy_is_that_of_the_report(both, plain):
    _, _, (answers, *_), _, labels = both
    rows = json.loads((plain / "plain" / "metrics.json").read_text("utf-8"))["rows"]
    right = answers.argmax(1) == labels.argmax(1)
    assert right.mean() == pytest.approx(rows["with_retrieval"]["accuracy"]["value"])


def test_a_row_has_no_more_than_the_cap():
    shares = np.array([[0.9] + [0.1 / 15] * 15], np.float32)
    found = one_file.cap_shares(shares)
    assert found.max() == pytest.approx(one_file.CAP)
    assert found.sum() == pytest.approx(1)


def test_it_runs_as_a_program(fitted, by_name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["one_file.py", str(fitted / "shop.ravl")])
    runpy.run_path(str(FILE), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["gated", "vote", "model"]


def test_it_is_short_and_uses_nothing_of_the_librarys_models():
    text = FILE.read_text("utf-8")
    assert code_lines(text) <= 165
    imports = [line for line in text.splitlines() if re.match(r"(from|import) ravl", line)]
    assert imports == ["from ravl import Memory"]


def code_lines(text: str) -> int:
    """Lines without comments, docstrings and blank ones."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            del node.body[0]
    return len(ast.unparse(tree).replace("\n\n", "\n").splitlines())
