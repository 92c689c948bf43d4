"""Training the retriever on Flickr8k's 6,000 training photographs, tested on its 1,000 dev ones.

Each line changes one setting of the default. Recall in per cent on the dev part, without and with
hubness correction, whose strength was chosen on 600 of the training photographs that were left out
of training, as everything else was. `seconds` are those of training, on cached features.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.report import Lines, picture_set
from ravl.encoders.trained import TrainedEncoder
from ravl.memory import Memory
from ravl.training.held import Held, best_hubness
from ravl.training.known import KnownTexts
from ravl.training.mixing import best_text_share
from ravl.training.pairs import Ints, read_pairs, split
from ravl.training.retriever import Parts, train_heads
from ravl.training.settings import RetrieverSettings

DEFAULT = RetrieverSettings()
VARIANTS = {
    "default": DEFAULT,
    "another seed": replace(DEFAULT, seed=1),
    "sigmoid loss": replace(DEFAULT, loss="sigmoid"),
    "linear heads": replace(DEFAULT, hidden=0),
    "linear heads, dropout 0.3": replace(DEFAULT, hidden=0, dropout=0.3),
    "dropout 0.3": replace(DEFAULT, dropout=0.3),
    "batches of 128": replace(DEFAULT, batch_size=128),
    "batches of 512": replace(DEFAULT, batch_size=512),
    "20 epochs": replace(DEFAULT, epochs=20),
    "512 dimensions": replace(DEFAULT, dimension=512),
    "3 hard negatives": replace(DEFAULT, hard_negatives=3),
}


def run(file: Path | None = None) -> Lines:
    """``file``: a memory of Flickr8k made earlier, else one is made."""
    with tempfile.TemporaryDirectory() as temporary:
        if file is None:
            file = Path(temporary) / "f.ravl"
            folder, _ = picture_set("flickr8k")
            with Memory.create(file) as memory:
                memory.index(folder / "annotations.jsonl")
        with Memory.open(file) as memory:
            base = KnownTexts(memory.encoder)
            base.recall(memory)
            pairs = read_pairs(memory, base)
            texts = base.learn(pairs.texts, Path(temporary) / "texts.npy", False)
            parts = Parts(*split(pairs, memory, 0.1, 'split = "dev"', 0))
        lines: Lines = []
        for name, settings in VARIANTS.items():
            out = Path(temporary) / name
            (out / "work").mkdir(parents=True)
            encoder, curve, seconds = train_heads(pairs, texts, parts, base, out, settings, False)
            picture, text = encoder.picture_head, encoder.text_head
            kept = best_text_share(
                pairs, parts.validation, parts.train, base, picture, text, settings.share
            )
            trained = TrainedEncoder(base, picture, text, settings.share, kept)
            held = [
                Held.take(pairs, chosen, parts.train, base, trained)
                for chosen in (parts.validation, parts.test)
            ]
            strength = best_hubness(held[0])
            if not lines:
                before = recalls(held[1].ranks(held[1].before, 0))
                lines.append(_line("untrained", 0, 0, before, ["", ""], 0.0))
            plain = recalls(held[1].ranks(held[1].after, 0))
            corrected = recalls(held[1].ranks(held[1].after, strength))
            lines.append(_line(name, len(curve), seconds, plain, corrected, strength))
            print(lines[-1], flush=True)
    return lines


def recalls(both: tuple[list[Ints], list[Ints]]) -> list[str]:
    """R@1/5/10 of text -> picture and of picture -> text."""
    return [
        "/".join(f"{100 * np.mean([r[0] <= k for r in ranks]):.1f}" for k in (1, 5, 10))
        for ranks in both
    ]


def _line(
    name: str, epochs: int, seconds: float, plain: list[str], corrected: list[str], strength: float
) -> dict[str, object]:
    return {
        "variant": name, "epochs": epochs, "seconds": seconds,
        "text -> picture": plain[0], "picture -> text": plain[1], "hubness": strength,
        "t -> p corrected": corrected[0], "p -> t corrected": corrected[1],
    }  # fmt: skip
