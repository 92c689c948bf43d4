"""Retrieval-based training: fit an encoder's shared space to a memory's own pictures and texts."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from ravl.encoders.base import Array
from ravl.encoders.trained import TrainedEncoder
from ravl.encoders.words import WordVectors
from ravl.errors import DataError
from ravl.files.whole_file import write_text
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.tasks.search.held import Held, best_hubness, measure, recall, to_json
from ravl.tasks.search.known import KnownTexts
from ravl.tasks.search.levels import fit_levels
from ravl.tasks.search.mixing import best_text_share
from ravl.tasks.search.report import write_report
from ravl.tasks.search.results import RetrieverReport
from ravl.tasks.search.rewording import reworded
from ravl.tasks.search.teacher import ask_teacher
from ravl.training.dual_encoder.material import TrainingInputs
from ravl.training.dual_encoder.pairs import Pairs, pairs_of, read_pairs, split
from ravl.training.dual_encoder.settings import RetrieverSettings
from ravl.training.dual_encoder.towers import seen_by, with_towers
from ravl.training.dual_encoder.train import PairSplits
from ravl.training.dual_encoder.wide import look_wide
from ravl.training.fit_folder import alone, begin, freeing
from ravl.training.processes import is_main_process, main_process_first

TOGETHER = 4096  # pictures that are projected at a time


def fit_retriever(
    memory: Memory,
    out: str | Path,
    settings: RetrieverSettings | None = None,
    *,
    validation: str | None = None,
    test: str | None = None,
    progress: bool | None = None,
) -> RetrieverReport:
    """Train the retriever on a memory, give the memory the new space, and report what it gained.

    Where the validation split is found no better than before, the memory keeps the space it has.

    Heads on top of the frozen encoder's features are fitted in closed form (canonical correlation
    analysis), beside the texts' vectors with vectors of their words. From there they are trained by
    contrast (Radford et al. 2021, CLIP): a picture must be nearer to its own texts than to all
    others; that is kept where validation is better with it. Where the encoder has wide features,
    each picture is decoded once for them; so it is where the settings say that copies of the
    networks are tuned. Interrupted, the same call continues where it stopped.

    Args:
        memory: with pictures that have captions, labels, tags or questions.
        out: folder for the run; made if need be.
        settings: see :class:`RetrieverSettings`.
        validation, test: filters that name the pictures of these parts; by default some are drawn.
            They are never trained on.
        progress: show bars; None shows them on a terminal.

    Returns:
        What it gained; also in ``out`` as ``metrics.json`` and ``report.html``.

    Raises:
        DataError: too few pictures or texts, an empty part, a folder of another run, or another
            process works in the folder.
        RavlError: the loss is no longer a number.
    """
    with alone(Path(out)):
        chosen = settings or RetrieverSettings()
        return _fit(memory, Path(out), chosen, validation, test, progress)


def _fit(
    memory: Memory,
    out: Path,
    settings: RetrieverSettings,
    validation: str | None,
    test: str | None,
    progress: bool | None,
) -> RetrieverReport:
    progress = progress if is_main_process() else False
    current = memory.encoder
    own = current.base if isinstance(current, TrainedEncoder) else current
    base = KnownTexts(own, wide=settings.wide and own.wide_dimension > 0 and not settings.tunes)
    with freeing(out):
        with main_process_first():  # the others find what it has written
            material, splits = prepare(memory, base, out, settings, validation, test, progress)
        levels = fit_levels(material, splits, base, out, settings, progress)
    pairs, material = levels.material.pairs, levels.material
    if not is_main_process():  # of several processes, one is enough for the rest
        return RetrieverReport(out, {}, 0.0, levels.seconds, False, levels.curve)
    heads = levels.chosen
    pairs = seen_by(pairs, heads.vision, material.maps)
    kept = best_text_share(pairs, splits.validation, splits.train, heads)
    trained = heads.weighted(settings.trained_weight, kept)
    held = {
        name: Held.take(pairs, chosen, splits.train, base, trained)
        for name, chosen in (("validation", splits.validation), ("test", splits.test))
    }
    hubness = best_hubness(held["validation"])
    metrics = measure(held["test"], hubness, settings.seed)
    trained.save(out / "encoder")
    unseen = held["validation"]
    adopted = recall(unseen, unseen.after, hubness) > recall(unseen, unseen.before, 0)
    if adopted:
        parts = np.array_split(np.arange(len(pairs.rows)), len(pairs.rows) // TOGETHER + 1)
        vectors = np.concatenate([trained.project(pairs.seen(p, beside=True)) for p in parts])
        memory.reembed(trained, progress, dict(zip(pairs.hashes, vectors, strict=True)))
        memory.set_hubness(hubness)
    report = RetrieverReport(
        out,
        to_json(metrics),
        hubness,
        levels.seconds,
        adopted,
        levels.curve,
        levels.name,
        levels.recalls,
    )
    sizes = {name: len(getattr(splits, name)) for name in ("train", "validation", "test")}
    write_report(report, memory, pairs, held["test"], metrics, sizes, settings)
    shutil.rmtree(out / "work", ignore_errors=True)
    return report


def prepare(
    memory: Memory,
    base: KnownTexts,
    out: Path,
    settings: RetrieverSettings,
    validation: str | None,
    test: str | None,
    progress: bool | None,
) -> tuple[TrainingInputs, PairSplits]:
    """The run's folder, and all that training needs, computed once and kept there."""
    config: JsonObject = {
        "task": "search",
        "memory": str(memory.path),
        "settings": settings.to_json(),
        "validation": validation,
        "test": test,
    }
    work = begin(out, config)
    if not isinstance(memory.encoder, TrainedEncoder):
        base.recall(memory)
    pairs, vision, maps, text = with_towers(
        memory, read_pairs(memory, base), base, settings, work, progress
    )
    if base.wide:
        pairs = look_wide(memory, pairs, base, work, progress)
    held_out = validation or settings.validation_share, test or settings.test_share
    splits = PairSplits(*split(pairs, memory, *held_out, settings.seed))
    _check_unchanged(work / "pairs.sha256", pairs, memory)
    words = None
    if settings.words:
        own = np.unique(pairs.which[pairs_of(pairs, splits.train)])
        words = WordVectors.fit([pairs.texts[i] for i in own], settings.words, settings.seed)

    def read(texts: list[str], name: str) -> Array:
        vectors = base.learn(texts, work / name, progress)
        return vectors if words is None else np.hstack([vectors, words(texts)])

    texts = read(pairs.texts, "texts.npy")
    others = variants = teacher = None
    if settings.paraphrase:
        others = reworded(pairs.texts, settings.paraphrase, settings.seed)
        flat = read([t for some in others for t in some], "reworded.npy")
        variants = flat.reshape(len(texts), settings.paraphrase, -1)
    if settings.teacher:
        teacher = ask_teacher(settings.teacher, memory, pairs, splits.train, work, progress)
    inputs = TrainingInputs(
        pairs, texts, variants, vision, maps, text, others, teacher, words, base.wide
    )
    return inputs, splits


def _check_unchanged(file: Path, pairs: Pairs, memory: Memory) -> None:
    """The split goes by the pairs: with others, a picture that was trained on could be tested."""
    parts = (
        pairs.rows,
        pairs.texts,
        *(x.tolist() for x in (pairs.groups, pairs.owners, pairs.which)),
    )
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    if file.exists() and file.read_text("utf-8") != digest:
        raise DataError(
            f"The pictures or texts in {memory.path} have changed since the run in "
            f"{file.parents[1]} was interrupted. Begin anew: name another folder with --out."
        )
    if not file.exists():
        write_text(file, digest)
