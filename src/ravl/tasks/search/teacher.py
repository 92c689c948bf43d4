"""A stronger encoder as a teacher: its preferences among a batch are learned as well.

For users with a large model that is too slow to serve, and a small one that is not (Hinton et al.
2015, https://arxiv.org/abs/1503.02531; TinyCLIP, Wu et al. 2023, https://arxiv.org/abs/2309.12314).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ravl.encoders import Encoder, load_encoder
from ravl.encoders.base import Array
from ravl.errors import PictureError
from ravl.files.whole_file import whole_file
from ravl.memory import Memory
from ravl.progress import progress_bar
from ravl.training.dual_encoder.material import Teacher
from ravl.training.dual_encoder.pairs import Ints, Pairs, pairs_of

SHARPNESS = (5.0, 10.0, 20.0, 50.0, 100.0)  # inverse temperatures that are tried
SAMPLE = 1024  # training pairs that they are tried on


def ask_teacher(
    spec: str, memory: Memory, pairs: Pairs, train: Ints, work: Path, show: bool | None
) -> Teacher:
    """Vectors of all pictures and texts by the teacher, and how sharply it tells them apart.

    Args:
        spec: name of the encoder, as for :func:`ravl.encoders.load_encoder`.
        memory: that the pictures are read from.
        pairs: of it.
        train: positions of the training pictures, by which the sharpness is chosen.
        work: folder that keeps the vectors, for a run that is interrupted.
        show: a progress bar.

    Raises:
        EncoderError: the teacher cannot be loaded.
    """
    file = work / "teacher.npz"
    if file.exists():
        with np.load(file) as kept:
            pictures, texts = kept["pictures"], kept["texts"]
    else:
        encoder = load_encoder(spec)
        pictures = _look(encoder, memory, pairs, show)
        texts = encoder.embed_texts(pairs.texts)
        with whole_file(file) as half:
            np.savez(half, pictures=pictures, texts=texts)
    return Teacher(pictures, texts, _sharpness(pictures, texts, pairs, train))


def _look(encoder: Encoder, memory: Memory, pairs: Pairs, show: bool | None) -> Array:
    """(n, T); zeros, which prefer nothing, for pictures that cannot be decoded any more."""

    def prepare(id: str) -> Array | None:
        try:
            return encoder.prepare(memory.picture(id, hint=encoder.picture_size))
        except PictureError:
            return None

    found = np.zeros((len(pairs.rows), encoder.dimension), np.float32)
    size = encoder.batch_size
    with ThreadPoolExecutor(2, "decode") as pool, progress_bar("Teacher", "pictures", show) as bar:
        for start in range(0, len(pairs.rows), size):
            prepared = list(pool.map(prepare, pairs.rows[start : start + size]))
            sound = [i for i, p in enumerate(prepared) if p is not None]
            if sound:
                found[start + np.array(sound)] = encoder.encode_prepared(
                    [p for p in prepared if p is not None]
                )[1]
            bar(len(prepared), len(pairs.rows))
    return found


def _sharpness(pictures: Array, texts: Array, pairs: Pairs, train: Ints) -> float:
    """The inverse temperature at which the true pairs are likeliest to the teacher."""
    chosen = pairs_of(pairs, train)
    chosen = chosen[:: max(1, len(chosen) // SAMPLE)]
    scores = pictures[pairs.owners[chosen]] @ texts[pairs.which[chosen]].T  # (s, s)

    def likelihood(sharpness: float) -> float:
        x = sharpness * scores.astype(np.float64)
        x -= x.max(1, keepdims=True)
        return float(np.mean(np.diag(x) - np.log(np.exp(x).sum(1))))

    return max(SHARPNESS, key=likelihood)
