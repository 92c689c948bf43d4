"""``ravl export RUN --onnx DIR``: a fitted run as ONNX files, which need no torch to answer."""

from __future__ import annotations

import json
import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ravl._version import __version__
from ravl.data import ColumnNames
from ravl.encoders.builtin_parts import parts_folder
from ravl.encoders.multilingual_parts import multilingual_folder
from ravl.errors import DataError
from ravl.exports.comparing import Agreement, Sample, agreement, beside
from ravl.exports.networks import write_networks
from ravl.files.whole_folder import whole_folder
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.runs.files import FILES
from ravl.runs.row_texts import base_of
from ravl.runs.run import ARRAYS, FUSION, GENERATOR, RUN, Run, add_hashes, open_memory, open_run
from ravl.runs.run import write_json as write
from ravl.runtime import names
from ravl.tasks import registry
from ravl.tasks.model import Model

SAMPLE = 32  # pictures of the memory that run and export are compared on
KEPT = (ARRAYS, "metrics.json", "settings.yaml", "report.html", "reference.json")
ENCODERS = {"builtin": (parts_folder,), "multilingual": (parts_folder, multilingual_folder)}
RERANK = "rerank"  # folder of the match run that reranks the neighbours


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Args:
        folder: of the export.
        task: of the run.
        manifest: what ``export.json`` says.
    """

    folder: Path
    task: str
    manifest: JsonObject

    def __str__(self) -> str:
        """What a terminal shows."""
        lines = [f"{self.folder} answers {self.task} without torch."]
        for name, its in self.manifest["networks"].items():
            parity = its["parity"]
            real = f", {parity['real']:.1g} on pictures" if "real" in parity else ""
            lines.append(
                f"  {name:<8} {its['bytes'] / 2**20:,.1f} MB{', int8' * its['int8']}; torch and "
                f"ONNX differ by {parity['random']:.1g} on random inputs{real}, allowed "
                f"{parity['tolerance']:g}"
            )
        lines.append(_agreement("The run and its export", self.manifest["answers"]))
        if "int8" in self.manifest:
            cost = self.manifest["int8"]
            lines.append(_agreement("With and without int8", cost["answers"]))
            for measure, its in cost.get("scores", {}).items():
                lines.append(f"  {measure}: {its['float']:.4g}, with int8 {its['int8']:.4g}")
        return "\n".join(lines)


def export_run(
    folder: str | Path,
    out: str | Path,
    *,
    memory: Memory | str | Path | None = None,
    int8: bool = False,
    data: str | Path | None = None,
    sample: int = SAMPLE,
    columns: ColumnNames | None = None,
    root: str | Path | None = None,
) -> ExportReport:
    """Export a fitted run. The export's folder is there once all is written and checked.

    Args:
        folder: of the run.
        out: a new or empty folder.
        memory: that it answers from, instead of the one it was fitted with.
        int8: give the language models eight-bit weights, and measure what that costs.
        data: labelled pictures to measure it on, as ``ravl evaluate`` takes them; without, only
            how often answers stay the same is counted.
        sample: pictures of the memory that run and export are compared on.
        columns, root: of the data, see :func:`ravl.evaluate`.

    Raises:
        DataError: there is no run, the folder is not empty, another process exports into it, or
            something in the run needs torch.
        EncoderError: a network computes something else when exported, or cannot be.
        MemoryFileError, EncoderMismatchError: as :func:`ravl.load`.
    """
    run, out = open_run(folder), Path(out)
    if (run.folder / names.MANIFEST).is_file():
        raise DataError(f"{run.folder} is an export already. Name the run that it was made from.")
    if data is not None and not int8:
        raise DataError("Data is for measuring what int8 costs. Ask for int8, or leave it out.")
    with whole_folder(out) as stage:
        opened = open_memory(run, memory, bool(run.record.get("reads_texts")))
        try:
            manifest = _export(run, stage, out, opened, int8, data, sample, columns, root)
        finally:
            if not isinstance(memory, Memory):
                opened.close()
    return ExportReport(out, run.task, manifest)


def refuse(run: Run, memory: Memory) -> None:
    """Say what an export could not do without torch.

    Raises:
        DataError: names it.
    """
    generator = run.record.get("generator")
    if generator not in (None, "fused"):
        raise DataError(
            f"{run.folder} writes with {generator}, which is not exported; only the embedded "
            "generator is. Export it with that library's own tools."
        )
    encoder = base_of(memory.encoder)
    if encoder.spec.startswith("hf:"):
        raise DataError(
            f"The pictures of {memory.path} are looked at by {encoder.spec}, which needs torch and "
            "is not exported. Only runs on the builtin or multilingual encoder are."
        )


def _export(
    run: Run,
    stage: Path,
    out: Path,
    memory: Memory,
    int8: bool,
    data: str | Path | None,
    sample: int,
    columns: ColumnNames | None,
    root: str | Path | None,
) -> JsonObject:
    """Write the export of a folder into a stage; returns the manifest."""
    _write(run, stage, out, memory)
    shown, export = Sample.of(memory, sample, registry.of_run(run)), open_run(stage)
    manifest: JsonObject = json.loads((stage / names.MANIFEST).read_text("utf-8"))
    model, both = beside(run, export, memory)
    expected = shown.answers(model)
    from ravl.exports.onnx_files import check

    for name, (worst,) in both.seen.items():
        check(name, worst)
        manifest["networks"][name]["parity"]["real"] = worst
    given = shown.answers(Model(export, memory))
    manifest["answers"] = agreement(expected, given).to_json()
    if int8 and manifest["networks"]:
        before = _scores(export, memory, data, columns, root)
        _quantise(stage, manifest)
        small = open_run(stage)
        cost: JsonObject = {
            "answers": agreement(given, shown.answers(Model(small, memory))).to_json()
        }
        after = _scores(small, memory, data, columns, root)
        cost["scores"] = {
            name: {"float": value, "int8": after[name]} for name, value in before.items()
        }
        manifest["int8"] = cost
    write(stage / names.MANIFEST, manifest)
    for file in (stage / RUN, stage / RERANK / RUN):
        if file.exists():
            add_hashes(file.parent)
    from ravl.pages.card import write_card

    write_card(stage, registry.of_run(run), out.resolve().name)
    return manifest


def _write(run: Run, stage: Path, out: Path, memory: Memory) -> None:
    """All files of the export but the card; first the memory that it is for is looked at.

    Args:
        run: to be exported.
        stage: where the files are written.
        out: where they will be.
        memory: that the run answers from.
    """
    refuse(run, memory)
    stage.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        if (run.folder / name).is_file():
            shutil.copy(run.folder / name, stage / name)
    networks = write_networks(run, stage, memory)
    for source in (make() for make in ENCODERS.get(base_of(memory.encoder).spec, ())):
        shutil.copytree(source, stage / names.ENCODER / source.name, dirs_exist_ok=True)
    record = {name: value for name, value in run.record.items() if name != FILES}
    known = record["memory"]
    relative = os.path.relpath(run.memory.resolve(), out.resolve())
    record["memory"] = {**known, "path": str(run.memory.resolve()), "relative": relative}
    if record.get("rerank", {}).get("relative") and record["rerank"]["weight"]:
        record["rerank"] = _second(run, stage, out, memory)
    write(
        stage / names.MANIFEST,
        {
            "format": names.FORMAT,
            "task": run.task,
            "run": str(run.folder.resolve()),
            "networks": networks,
            "versions": _versions(),
        },
    )
    write(stage / RUN, record)


def _second(run: Run, stage: Path, out: Path, memory: Memory) -> JsonObject:
    """The match run that reranks the neighbours, exported into the export."""
    from ravl.tasks.neighbour_reranker import NeighbourReranker

    look = NeighbourReranker.of_run(run, memory)
    assert look is not None
    _write(look.model.run, stage / RERANK, out / RERANK, memory)
    return {"path": str((out / RERANK).resolve()), "relative": RERANK, "weight": look.weight}


def _quantise(stage: Path, manifest: JsonObject) -> None:
    from ravl.exports.quantising import quantise

    for name, its in manifest["networks"].items():
        if name == names.VISION:  # convolutions stay as they are
            continue
        path = stage / (FUSION if name == names.FUSION else GENERATOR) / its["file"]
        quantise(path)
        its |= {"int8": True, "bytes": path.stat().st_size}
    write(stage / names.MANIFEST, manifest)


def _scores(
    export: Run,
    memory: Memory,
    data: str | Path | None,
    columns: ColumnNames | None,
    root: str | Path | None,
) -> dict[str, float]:
    """Scores with retrieval on labelled pictures; none without data."""
    if data is None:
        return {}
    from ravl.tasks.fit import evaluate

    found = evaluate(Model(export, memory), data, progress=False, columns=columns, root=root)
    rows = found["rows"]["with_retrieval"]
    return {name: float(score["value"]) for name, score in rows.items()}


def _versions() -> dict[str, str]:
    packages = ("torch", "transformers", "onnx", "onnxruntime", "onnxscript", "numpy")
    found = {name: version(name) for name in packages}
    return {"python": platform.python_version(), "ravl": __version__, **found}


def _agreement(who: str, answers: JsonObject) -> str:
    found = Agreement(**answers)
    return (
        f"{who} agree on {found.same:,} of {found.compared:,} answers about the memory's pictures; "
        f"confidence differs by {found.confidence:.1g} at most"
    )
