"""The networks of a run as files of its export, with what the manifest says of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ravl.errors import DataError
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.runs.run import FUSION, GENERATOR, VISION, Run
from ravl.runtime import names


def write_networks(run: Run, out: Path, memory: Memory) -> JsonObject:
    """The run's networks as ONNX files.

    Args:
        run: that has them, as they were fitted.
        out: the folder of the export.
        memory: that the run answers from.

    Returns:
        What the manifest says of each, by name; empty for a run without networks of its own.

    Raises:
        EncoderError: one computes something else when exported, or cannot be.
    """
    made: JsonObject = {}
    kinds: tuple[tuple[str, Callable[..., JsonObject]], ...] = (
        (FUSION, _fusion),
        (GENERATOR, _generator),
        (VISION, _tower),
    )
    for name, write_network in kinds:
        if (run.folder / name).is_dir():
            made |= write_network(run, out / name, memory)
    return made


def _fusion(run: Run, folder: Path, _: Memory) -> JsonObject:
    from safetensors.numpy import save_file

    from ravl.exports.graphs import fusion_graph
    from ravl.exports.onnx_files import write_onnx

    max_length = int(run.record.get("longest", 0))
    reader, words = run.networks.reader(run.folder / FUSION, max_length)
    found = write_onnx(fusion_graph(reader.model), folder / f"{names.FUSION}.onnx")
    base = reader.model.base
    arrays = {"weight": base.weight.detach().numpy(), "bias": base.bias.detach().numpy()}
    save_file(arrays, folder / names.BASE)
    found |= {"int8": False, "evidence": reader.evidence}
    if words is not None:
        from ravl.exports.tokenizers import keep_words

        found |= keep_words(run.folder / FUSION, folder, words)
    return {names.FUSION: found}


def _generator(run: Run, folder: Path, _: Memory) -> JsonObject:
    from ravl.exports.graphs import generator_graphs
    from ravl.exports.onnx_files import write_onnx
    from ravl.exports.tokenizers import keep_vocabulary, keep_words
    from ravl.models.generation.fused import FusedGenerator

    source = run.folder / GENERATOR
    generator = run.networks.generator(source, int(run.record["how"]["max_new_tokens"]))
    assert isinstance(generator, FusedGenerator)
    made = {}
    for graph in generator_graphs(generator.model):
        made[graph.name] = write_onnx(graph, folder / f"{graph.name}.onnx") | {"int8": False}
    made[names.WRITE] |= {"evidence": generator.evidence, "regions": generator.regions}
    made[names.WRITE] |= keep_words(source, folder, generator.words)
    keep_vocabulary(source, folder, generator.vocabulary)
    return made


def _tower(run: Run, folder: Path, memory: Memory) -> JsonObject:
    from ravl.encoders.towers.vision import VisionTower
    from ravl.exports.graphs import tower_graph
    from ravl.exports.onnx_files import write_onnx

    tower = run.networks.tower(run.folder / VISION, memory.encoder)
    assert isinstance(tower, VisionTower)
    if tower.strategy.name == "head":  # nothing in it was tuned
        raise DataError(f"{run.folder / VISION} holds a tower without tuned layers. Fit it again.")
    return {
        names.VISION: write_onnx(tower_graph(tower), folder / f"{names.VISION}.onnx")
        | {"int8": False}
    }
