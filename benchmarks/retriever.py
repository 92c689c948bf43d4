"""Training the retriever on Flickr8k's 6,000 training photographs, tested on its 1,000 dev ones.

From the untrained encoder to heads, other losses and texts, tuned networks, and a second look at
the first 50 by a run of `ravl fit match --model linear` on the same training photographs. Recall in
per cent on the dev part, without and with hubness correction, whose strength was chosen on 600 of
the training photographs that were left out of training, as everything else was. `seconds` are those
of training, on cached features or on what a frozen stem made of the pictures; `in all` has looking
at them and re-embedding too. `keywords` is text -> picture R@10 of captions without small words, as
people type them.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Lines, picture_set
from ravl.encoders.base import Array
from ravl.encoders.trained import TrainedEncoder
from ravl.evaluation import ranks_of_relevant
from ravl.memory import Memory
from ravl.tasks.match.rerank import both_ways, judge_reranking
from ravl.tasks.search.fit import prepare
from ravl.tasks.search.held import Held, Space, best_hubness
from ravl.tasks.search.known import KnownTexts
from ravl.tasks.search.levels import fit_levels
from ravl.tasks.search.mixing import best_text_share
from ravl.tasks.search.rewording import reworded
from ravl.training.dual_encoder.pairs import Ints, Pairs
from ravl.training.dual_encoder.settings import RetrieverSettings
from ravl.training.dual_encoder.towers import seen_by
from ravl.training.fit_settings import FitSettings

DEV = 'split = "dev"'
DEFAULT = RetrieverSettings()
TUNED = replace(DEFAULT, tune_vision="top:7", vision_side=288, epochs=6)
VARIANTS = {
    "closed form, stored features": replace(DEFAULT, model="cca", wide=False),
    "closed form": replace(DEFAULT, model="cca"),
    "stored features": replace(DEFAULT, wide=False),
    "default": DEFAULT,
    "hidden layer from random": replace(DEFAULT, wide=False, words=0, epochs=10, hidden=1024),
    "another seed": replace(DEFAULT, seed=1),
    "sigmoid loss": replace(DEFAULT, loss="sigmoid"),
    "3 hard negatives": replace(DEFAULT, hard_negatives=3),
    "3 reworded texts": replace(DEFAULT, paraphrase=3),
    "vision top:7 at 288": TUNED,
    "and text lora": replace(TUNED, tune_text="lora"),
}
RERANKED = ("default", "vision top:7 at 288", "and text lora")
QUICK = replace(DEFAULT, epochs=1)
TINY = {
    "VARIANTS": {"default": QUICK, "tuned": replace(QUICK, tune_vision="top:1", tune_text="lora")},
    "RERANKED": ("default",),
}


def run(file: Path | None = None) -> Lines:
    """``file``: a memory of Flickr8k made earlier, else one is made."""
    lines: Lines = []
    with tempfile.TemporaryDirectory() as temporary:
        if file is None:
            file = Path(temporary) / "f.ravl"
            folder, _ = picture_set("flickr8k")
            with Memory.create(file) as memory:
                memory.index(folder / "annotations.jsonl")
        with Memory.open(file) as memory:
            for name, settings in VARIANTS.items():
                lines += measured(name, memory, settings, Path(temporary) / "run", not lines)
                shutil.rmtree(Path(temporary) / "run")
    return lines


def measured(
    name: str, memory: Memory, settings: RetrieverSettings, out: Path, first: bool
) -> Lines:
    """The lines of one variant; before it the untrained encoder's, where it is the first."""
    began = time.monotonic()
    base = KnownTexts(memory.encoder, wide=settings.wide and not settings.tunes)
    material, parts = prepare(memory, base, out, settings, None, DEV, False)
    levels = fit_levels(material, parts, base, out, settings, False)
    encoder, curve, seconds = levels.chosen, levels.curve, levels.seconds
    pairs = seen_by(levels.material.pairs, encoder.vision, material.maps)
    kept = best_text_share(pairs, parts.validation, parts.train, encoder)
    trained = encoder.weighted(settings.trained_weight, kept)
    held = [
        Held.take(pairs, chosen, parts.train, base, trained)
        for chosen in (parts.validation, parts.test)
    ]
    strength, test = best_hubness(held[0]), held[1]
    lines: Lines = []
    if first:
        before = recalls(test.ranks(test.before, 0))
        words = keywords(pairs, test, test.before, base, 0)
        lines.append(_line("untrained", 0, 0, 0, before, ["", ""], 0.0, words))
    plain, corrected = (recalls(test.ranks(test.after, s)) for s in (0, strength))
    words = keywords(pairs, test, test.after, trained, strength)
    whole = round(time.monotonic() - began, 1)
    lines.append(_line(name, len(curve), seconds, whole, plain, corrected, strength, words))
    print(lines[-1], flush=True)
    if name in RERANKED:
        lines.append(second_look(name, memory, pairs, trained, test, strength, out))
        print(lines[-1], flush=True)
    return lines


def second_look(
    name: str,
    memory: Memory,
    pairs: Pairs,
    trained: TrainedEncoder,
    test: Held,
    strength: float,
    out: Path,
) -> dict[str, object]:
    """The same searches, their first 50 looked at again by a run of match."""
    from ravl.tasks.match.choose import fit_levels
    from ravl.tasks.match.fit import MatchRecipe
    from ravl.training.engine import open_data

    began = time.monotonic()
    settings = FitSettings(model="linear")
    place = {id: i for i, id in enumerate(pairs.rows)}
    recipe = MatchRecipe(memory, settings)
    with open_data(recipe, out / "match", test=DEV, progress=False) as (data, _):
        (out / "match").mkdir(exist_ok=True)
        predictor = fit_levels(data, out / "match", False).levels["linear"]
        reranking = judge_reranking(data, predictor)
        rows = [place[data.pairs.rows[i]] for i in data.splits.test.tolist()]
        seen = trained.project(pairs.seen(np.array(rows), beside=True))
        own = np.unique(data.pairs.which[np.isin(data.pairs.owners, data.splits.test)])
        read = trained.embed_texts([data.pairs.texts[i] for i in own.tolist()])
        space = Space(seen, read, test.after.bank_pictures, test.after.bank_texts)
        of_pictures, of_texts = (strength * hubs for hubs in space.hubs)
        scores = seen @ read.T
        # Each way has its own hubs: what is looked for, not what is looked with.
        found = [
            both_ways(data, predictor, data.splits.test, 10_000, reranking.depth, first)[way]
            for way, first in ((0, scores - of_pictures[:, None]), (1, scores - of_texts))
        ]
    plain, again = (recalls([way.ranks(w) for way in found]) for w in (0, reranking.weight))
    seconds = round(time.monotonic() - began, 1)
    return _line(f"{name}, reranked", 0, seconds, seconds, plain, again, strength, "") | {
        "weight": reranking.weight,
        "ms a query": round(reranking.milliseconds, 1),
    }


def keywords(pairs: Pairs, held: Held, space: Space, encoder: Any, strength: float) -> str:
    """Text -> picture R@10 of the held-out captions' keywords, in per cent."""
    words = [w for (w,) in reworded([pairs.texts[i] for i in held.which.tolist()], 1, 0)]
    queries: Array = encoder.embed_texts(words)
    offset = -strength * space.hubs[0]
    ranks = ranks_of_relevant(queries, space.pictures, held.of_text, offset=offset)
    return f"{100 * np.mean([r[0] <= 10 for r in ranks]):.1f}"


def recalls(both: Any) -> list[str]:
    """R@1/5/10 of text -> picture and of picture -> text."""
    ways: list[list[Ints]] = list(both)
    return [
        "/".join(f"{100 * np.mean([r[0] <= k for r in ranks]):.1f}" for k in (1, 5, 10))
        for ranks in ways
    ]


def _line(
    name: str,
    epochs: int,
    seconds: float,
    whole: float,
    plain: list[str],
    corrected: list[str],
    strength: float,
    words: str,
) -> dict[str, object]:
    return {
        "variant": name,
        "epochs": epochs,
        "seconds": seconds,
        "in all": whole,
        "text -> picture": plain[0],
        "picture -> text": plain[1],
        "hubness": strength,
        "t -> p corrected": corrected[0],
        "p -> t corrected": corrected[1],
        "keywords": words,
    }
