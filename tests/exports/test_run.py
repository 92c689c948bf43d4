"""ravl export RUN --onnx: the same answers, from ONNX files, without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import ravl
import ravl.runtime
from ravl.data import Example
from ravl.errors import DataError, EncoderError
from ravl.exports import onnx_files
from ravl.exports.graphs import Graph
from ravl.exports.onnx_files import write_onnx
from ravl.exports.run import export_run
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.runs.run import add_hashes, open_run
from ravl.tasks.fit import evaluate
from tests.helpers import ColourEncoder, draw

TASKS = {"vote": "classify", "linear": "classify", "fusion": "classify", "tags": "tag"}
COLOURS = ("red", "green", "blue", "yellow")
WAYS: list[dict[str, Any]] = [
    {},
    {"k": 2},
    {"retrieval": False},
    {"vote_only": True},
    {"abstain": 0.05},
]


@pytest.fixture
def shop(fitted_once: Path) -> Iterator[Memory]:
    with Memory.open(fitted_once / "shop.ravl", ColourEncoder()) as memory:
        yield memory


@pytest.fixture
def new() -> list[Any]:
    """Pictures that no memory has seen."""
    return [draw(5000 + i, COLOURS[i % 4], (48, 32)) for i in range(6)]


@pytest.mark.parametrize("how", WAYS, ids=str)
@pytest.mark.parametrize("name", list(TASKS))
def test_an_export_answers_as_its_run(
    fitted_once: Path, exported: Path, shop: Memory, new: list[Any], name: str, how: dict[str, Any]
) -> None:
    if name == "vote" and how.get("retrieval") is False:
        return
    ask = {
        folder: getattr(model, TASKS[name])(new, **how)
        for folder, model in (
            ("run", ravl.load(fitted_once / name, shop)),
            ("export", ravl.runtime.load(exported / name, shop)),
        )
    }
    for run, export in zip(ask["run"], ask["export"], strict=True):
        assert type(run) is type(export)
        assert export.confidence == pytest.approx(run.confidence, abs=1e-4)
        assert list(export.scores) == list(run.scores)
        assert export.abstained == run.abstained
        assert [e.id for e in export.evidence] == [e.id for e in run.evidence]
        first, second = ([e.share for e in found.evidence] for found in (export, run))
        assert np.allclose(first, second, atol=1e-4)


def test_a_single_picture_and_none(exported: Path, shop: Memory, new: list[Any]) -> None:
    model = ravl.runtime.load(exported / "fusion", shop)
    assert model.classify(new[0]).label == model.classify(new)[0].label
    assert model.classify([]) == []


def test_it_is_judged_as_its_run(fitted_once: Path, exported: Path, shop: Memory) -> None:
    rows = [
        evaluate(ravl.load(folder / "fusion", shop), "label is not missing", progress=False)["rows"]
        for folder in (fitted_once, exported)
    ]
    assert rows[0].keys() == rows[1].keys()
    for name, scores in rows[0].items():
        assert rows[1][name]["accuracy"] == scores["accuracy"]
        assert rows[1][name]["log_loss"]["value"] == pytest.approx(
            scores["log_loss"]["value"], abs=1e-3
        )


def test_the_manifest_says_what_was_checked(exported: Path) -> None:
    told = json.loads((exported / "fusion" / "export.json").read_text("utf-8"))
    fusion = told["networks"]["fusion"]
    assert fusion["parity"]["random"] < 1e-4
    assert fusion["parity"]["real"] < 1e-4
    assert fusion["inputs"]["near_features"] == ["b", "k", 48]
    assert fusion["evidence"] > 0
    assert fusion["int8"] is False
    assert told["answers"]["same"] == told["answers"]["compared"] == 8
    assert {"torch", "onnxruntime", "ravl"} < set(told["versions"])
    assert json.loads((exported / "vote" / "export.json").read_text("utf-8"))["networks"] == {}
    card = (exported / "fusion" / "README.md").read_text("utf-8")
    assert "## Export" in card
    assert "Answers equal to torch's: 8 of 8" in card


SCRIPT = """
import sys
import ravl.runtime
from ravl.memory import Memory
from tests.helpers import ColourEncoder, draw

with Memory.open(sys.argv[2], ColourEncoder()) as memory:
    model = ravl.runtime.load(sys.argv[1], memory=memory)
    answers = getattr(model, sys.argv[3])([draw(1, "red"), draw(2, "blue")])
    assert len(answers) == 2 and answers[0].evidence
heavy = {"torch", "transformers"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("name", ["linear", "fusion"])
def test_no_torch_is_imported(fitted_once: Path, exported: Path, name: str) -> None:
    subprocess.run(
        [sys.executable, "-c", SCRIPT, exported / name, fitted_once / "shop.ravl", TASKS[name]],
        check=True,
        cwd=Path(__file__).parents[2],
    )


def test_nor_by_a_run_that_has_no_network(fitted_once: Path) -> None:
    script = SCRIPT.replace("ravl.runtime.load", "ravl.load")
    for name in ("vote", "linear"):
        subprocess.run(
            [
                sys.executable,
                "-c",
                script,
                fitted_once / name,
                fitted_once / "shop.ravl",
                "classify",
            ],
            check=True,
            cwd=Path(__file__).parents[2],
        )


def test_it_stands_alone(
    fitted: Path, exported: Path, shop: Memory, new: list[Any], tmp_path: Path
) -> None:
    """Neither the run nor the place of the export is needed."""
    shutil.copytree(exported / "fusion", tmp_path / "elsewhere")
    shutil.rmtree(fitted / "fusion")
    found = ravl.runtime.load(tmp_path / "elsewhere", shop)
    assert len(found.classify(new)) == len(new)


def test_a_new_row_counts_at_once(fitted: Path, exported: Path, tmp_path: Path) -> None:
    draw(1, "purple").save(tmp_path / "p.png")
    with Memory.open(fitted / "shop.ravl", ColourEncoder()) as memory:
        model = ravl.runtime.load(exported / "fusion", memory)
        before = model.classify(draw(2, "purple"))
        memory.add([Example(f"p{i}", tmp_path / "p.png", label="violet") for i in range(5)])
        after = model.classify(draw(2, "purple"))
    assert "violet" not in before.scores
    assert after.label == "violet"


def test_int8_is_smaller_and_its_cost_is_measured(
    fitted_once: Path,
    exported: Path,
    shop: Memory,
    new: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def written_before(_: Graph, path: Path) -> JsonObject:
        path.parent.mkdir(parents=True)
        shutil.copy(exported / "fusion" / "fusion" / path.name, path)
        manifest = json.loads((exported / "fusion" / "export.json").read_text("utf-8"))
        network: JsonObject = manifest["networks"]["fusion"]
        return network

    # The file with full precision is that of the other tests: writing it takes ten seconds.
    monkeypatch.setattr(onnx_files, "write_onnx", written_before)
    report = export_run(
        fitted_once / "fusion",
        tmp_path / "small",
        memory=shop,
        int8=True,
        sample=8,
        data="label is not missing",
    )
    cost = report.manifest["int8"]
    assert cost["answers"]["compared"] == 8
    assert cost["answers"]["same"] >= 6
    assert set(cost["scores"]["accuracy"]) == {"float", "int8"}
    assert abs(cost["scores"]["accuracy"]["float"] - cost["scores"]["accuracy"]["int8"]) < 0.2
    assert report.manifest["networks"]["fusion"]["int8"]
    assert "With and without int8" in str(report)
    assert "accuracy" in str(report)
    assert "eight-bit weights" in (tmp_path / "small" / "README.md").read_text("utf-8")
    graph = onnx.load(tmp_path / "small" / "fusion" / "fusion.onnx").graph
    assert {"MatMulInteger", "DynamicQuantizeLinear"} & {node.op_type for node in graph.node}
    model = ravl.runtime.load(tmp_path / "small", shop)
    assert len(model.classify(new)) == len(new)


def test_a_difference_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = torch.nn.Linear(64, 8).eval()
    graph = Graph("layer", layer, {"x": torch.randn(3, 64)}, ("y",), {"x": {0: "b"}})
    assert write_onnx(graph, tmp_path / "layer.onnx")["parity"]["random"] < 1e-4
    monkeypatch.setattr(onnx_files, "TOLERANCE", -1.0)  # even equal numbers are too different
    with pytest.raises(EncoderError, match="computes something else in onnxruntime"):
        write_onnx(graph, tmp_path / "layer.onnx")


def test_nothing_is_left_of_an_export_that_was_refused(
    fitted_once: Path, shop: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Graph, path: Path) -> JsonObject:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half a graph")
        raise EncoderError("The network computes something else.")

    monkeypatch.setattr(onnx_files, "write_onnx", refused)
    with pytest.raises(EncoderError, match="computes something else"):
        export_run(fitted_once / "fusion", tmp_path / "out", memory=shop)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_is_refused(fitted: Path, exported: Path, tmp_path: Path) -> None:
    with Memory.open(fitted / "shop.ravl", ColourEncoder()) as memory:
        with pytest.raises(DataError, match="is an export already"):
            export_run(exported / "vote", tmp_path / "out", memory=memory)
        with pytest.raises(DataError, match="holds no fitted run"):
            export_run(tmp_path, tmp_path / "out", memory=memory)
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "file").touch()
        with pytest.raises(DataError, match="is not an empty folder"):
            export_run(fitted / "vote", tmp_path / "full", memory=memory)
        with pytest.raises(DataError, match="Ask for int8"):
            export_run(fitted / "vote", tmp_path / "out", memory=memory, data="label = 1")
        run = fitted / "vote" / "run.json"
        record = json.loads(run.read_text("utf-8"))
        run.write_text(json.dumps(record | {"generator": "hf:gpt2"}), "utf-8")
        with pytest.raises(DataError, match="writes with hf:gpt2, which is not exported"):
            export_run(fitted / "vote", tmp_path / "out", memory=memory)
        assert not (tmp_path / "out").exists()


def test_a_damaged_export_says_so(exported: Path, shop: Memory, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not an export"):
        ravl.runtime.load(tmp_path, shop)
    shutil.copytree(exported / "fusion", tmp_path / "bad")
    manifest = tmp_path / "bad" / "export.json"
    told = json.loads(manifest.read_text("utf-8"))
    for change, said in (
        ("{", "is damaged"),
        (json.dumps(told | {"format": 99}), "newer ravl"),
        (json.dumps(told | {"networks": {}}), "does not mention the network 'fusion'"),
    ):
        manifest.write_text(change, "utf-8")
        add_hashes(tmp_path / "bad")
        with pytest.raises(DataError, match=said):
            ravl.runtime.load(tmp_path / "bad", shop)
    manifest.write_text(json.dumps(told), "utf-8")
    (tmp_path / "bad" / "fusion" / "fusion.onnx").write_bytes(b"")
    add_hashes(tmp_path / "bad")
    with pytest.raises(DataError, match=r"fusion\.onnx is missing or damaged"):
        ravl.runtime.load(tmp_path / "bad", shop)


def test_an_export_whose_network_has_changed_is_refused(exported: Path, tmp_path: Path) -> None:
    export = Path(shutil.copytree(exported / "fusion", tmp_path / "export"))
    (network,) = (export / "fusion").glob("*.onnx")
    assert f"fusion/{network.name}" in open_run(export).record["files"]
    data = network.read_bytes()
    network.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DataError, match=r"onnx is missing or damaged: its SHA-256"):
        open_run(export)
    network.write_bytes(data)
    manifest = export / "export.json"
    manifest.write_text(manifest.read_text("utf-8") + " ", "utf-8")
    with pytest.raises(DataError, match="export.json is missing or damaged"):
        open_run(export)


@pytest.mark.parametrize("torch", [True, False])
def test_an_export_decides_no_vectors_where_torch_can_make_the_encoder(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch: bool
) -> None:
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ravl.runtime.networks.find_spec", lambda name: object() if torch else None)
    export = Path(shutil.copytree(exported / "vote", tmp_path / "export"))
    (export / "encoder" / "builtin-9").mkdir(parents=True)
    (export / "encoder" / "builtin-9" / "text.onnx").write_bytes(b"of a stranger")
    open_run(export)
    assert (tmp_path / "cache" / "encoders" / "builtin-9").exists() is not torch
