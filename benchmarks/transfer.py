"""A retriever trained on one picture set, asked about it and about sets that it never saw.

R@10 in per cent, text -> picture / picture -> text, on held-out pictures of each set, without
hubness correction. `heads alone` are the trained heads by themselves; `with the base` keeps as much
of the untrained encoder's scores as cost nothing on the source's validation part, which is what
`ravl fit search` does. Trained on its own set, a line shows the gain; on another one, the damage.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Lines, picture_set
from ravl.encoders.base import Array
from ravl.encoders.trained import TrainedEncoder
from ravl.evaluation import retrieval_scores
from ravl.memory import Memory
from ravl.tasks.search.held import Held, Space
from ravl.tasks.search.known import KnownTexts
from ravl.tasks.search.mixing import best_text_share
from ravl.training.dual_encoder.material import TrainingInputs
from ravl.training.dual_encoder.pairs import Pairs, read_pairs, split
from ravl.training.dual_encoder.settings import RetrieverSettings
from ravl.training.dual_encoder.train import PairSplits, train_heads

# Each with the pictures to test on: a filter, or a share.
SETS: dict[str, str | float] = {
    "flickr8k": 'split = "dev"',
    "openclipart": 0.2,
    "tuxpaint_stamps": 0.2,
}


SETTINGS = RetrieverSettings(epochs=10, hidden=1024)
TINY = {"SETTINGS": RetrieverSettings(epochs=1, hidden=1024)}


@dataclass(frozen=True)
class Source:
    base: KnownTexts
    pairs: Pairs
    texts: Array
    splits: PairSplits


def run() -> Lines:
    lines: Lines = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sets = {name: _source(name, test, folder) for name, test in SETS.items()}
        for name, source in sets.items():
            out = folder / f"{name} run"
            (out / "work").mkdir(parents=True)
            parts, pairs = source.splits, source.pairs
            material = TrainingInputs(pairs, source.texts)
            encoder, _, _ = train_heads(material, parts, source.base, out, SETTINGS, False)
            picture, text = encoder.picture_head, encoder.text_head
            kept = best_text_share(pairs, parts.validation, parts.train, encoder)
            for other, target in sets.items():
                shares = {
                    "heads alone": (1.0, 1.0),
                    "with the base": (SETTINGS.trained_weight, kept),
                }
                line: dict[str, object] = {"trained on": name, "asked about": other}
                for how, (share, text_share) in shares.items():
                    trained = TrainedEncoder(target.base, picture, text, share, text_share)
                    held = Held.take(
                        target.pairs, target.splits.test, target.splits.train, target.base, trained
                    )
                    line.setdefault("untrained", _recalls(held, held.before))
                    line[how] = _recalls(held, held.after)
                lines.append(line | {"text share": round(kept, 2)})
                print(lines[-1], flush=True)
    return lines


def _source(name: str, test: str | float, folder: Path) -> Source:
    file = folder / f"{name}.ravl"
    with Memory.create(file) as memory:
        memory.index(picture_set(name)[0] / "annotations.jsonl")
        base = KnownTexts(memory.encoder)
        base.recall(memory)
        pairs = read_pairs(memory, base)
        texts = base.learn(pairs.texts, folder / f"{name}.npy", False)
        return Source(base, pairs, texts, PairSplits(*split(pairs, memory, 0.1, test, 0)))


def _recalls(held: Held, space: Space) -> str:
    both = held.ranks(space, 0)
    return " / ".join(f"{100 * retrieval_scores(ranks)['R@10'].value:.1f}" for ranks in both)
