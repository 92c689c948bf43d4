"""The words of texts as vectors: TF-IDF of words and of pairs of words, in fewer dimensions.

Latent semantic analysis (Deerwester et al. 1990). A sentence network says what a text means, and
forgets which words said it; beside its vector the words are worth 18 points of the sum of six
recalls on Flickr8k.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np

from ravl.encoders.base import Array, Numbers, normalise
from ravl.errors import EncoderError
from ravl.untrusted import damage_of, parse_json, read_arrays

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FILES = "words.json", "words.safetensors"
AGAIN = "Train the encoder again, or take its files from a copy of before."
FEWEST = 2  # texts that have a term; one that only one text has says nothing about others
MOST_TERMS = 8000  # the most frequent ones
MOST_WORDS = 1000  # of one text; the rest is not read
# Scripts without spaces: each character is a word, and neighbours are pairs of words.
_WIDE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(f"[{_WIDE}]|[^\\W{_WIDE}]+")


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Turns texts into vectors by the words in them.

    Args:
        terms: V words, and pairs of words with a space between.
        weights: of the terms, the rare ones more (inverse document frequency), (V,).
        components: of each term in k dimensions, (V, k).

    Raises:
        EncoderError: the arrays do not fit together, or have numbers that are not finite.
    """

    terms: Sequence[str]
    weights: Array
    components: Array
    _places: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        count = len(self.terms)
        shapes = self.weights.shape == (count,) and self.components.shape[:1] == (count,)
        if not shapes or self.components.ndim != 2 or not self.components.size:
            raise EncoderError(f"The word vectors' arrays do not fit together. {AGAIN}")
        if not (np.isfinite(self.weights).all() and np.isfinite(self.components).all()):
            raise EncoderError(f"The word vectors have numbers that are not finite. {AGAIN}")
        object.__setattr__(self, "_places", {term: i for i, term in enumerate(self.terms)})

    @property
    def dimension(self) -> int:
        """k, the length of the vectors."""
        return int(self.components.shape[1])

    def __call__(self, texts: Sequence[str]) -> Array:
        """Texts (n) -> vectors (n, k), L2-normalised; zeros for a text without a known term."""
        return normalise(_counts(texts, self._places, self.weights) @ self.components)

    @classmethod
    def fit(cls, texts: Sequence[str], dimension: int, seed: int = 0) -> WordVectors | None:
        """The word vectors of these texts; None where hardly any term occurs in two of them.

        Args:
            texts: n different ones.
            dimension: at most, of the vectors; fewer where there are fewer texts or terms.
            seed: of the decomposition.
        """
        from sklearn.utils.extmath import randomized_svd  # type: ignore[import-untyped, unused-ignore]

        found: Counter[str] = Counter()
        for text in texts:
            found.update(set(terms_of(text)))
        shared = (term for term, count in found.items() if count >= FEWEST)
        # In an order that does not change from process to process, as that of a set does.
        terms = sorted(shared, key=lambda term: (-found[term], term))[:MOST_TERMS]
        dimension = min(dimension, len(terms) - 1, len(texts) - 1)
        if dimension < 1:
            return None
        times = np.array([found[term] for term in terms], np.float32)
        weights = np.log((1 + len(texts)) / (1 + times)).astype(np.float32) + 1
        counts = _counts(texts, {term: i for i, term in enumerate(terms)}, weights)
        _, _, directions = randomized_svd(counts, dimension, n_iter=2, random_state=seed)
        components = directions.T.astype(np.float16).astype(np.float32)  # as it is kept
        return cls(terms, weights, components)

    # --- keeping it ------------------------------------------------------------------------

    def state(self) -> dict[str, bytes]:
        """The files by name: the terms as JSON, the arrays as safetensors."""
        from safetensors.numpy import save

        small = self.components.astype(np.float16)
        arrays: dict[str, Numbers] = {"weights": self.weights, "components": small}
        text = json.dumps({"terms": list(self.terms)}, ensure_ascii=False)
        return dict(zip(FILES, (text.encode(), save(arrays)), strict=True))

    @classmethod
    def from_state(cls, state: Mapping[str, bytes]) -> WordVectors:
        """The inverse of :meth:`state`.

        Raises:
            EncoderError: a file is missing or damaged.
        """
        names, values = FILES
        for name in FILES:
            if name not in state:
                raise EncoderError(f"The trained encoder lacks its file {name}. {AGAIN}")
        with damage_of(f"{names} of the trained encoder", AGAIN, EncoderError):
            terms = [str(term) for term in parse_json(state[names])["terms"]]
        arrays = read_arrays(state[values], f"{values} of the trained encoder", AGAIN, EncoderError)
        with damage_of(f"{values} of the trained encoder", AGAIN, EncoderError):
            weights, components = arrays["weights"], arrays["components"]
        return cls(terms, weights.astype(np.float32), components.astype(np.float32))


def terms_of(text: str) -> Iterator[str]:
    """The words of a text in small letters, and the pairs of neighbours."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = [found[0] for found in islice(_WORD.finditer(plain), MOST_WORDS)]
    yield from words
    yield from map(" ".join, pairwise(words))


def _counts(texts: Sequence[str], places: Mapping[str, int], weights: Array) -> csr_array:
    """TF-IDF of texts, (n, V) sparse, L2-normalised: (1 + log of how often) times the weight."""
    from scipy.sparse import csr_array

    columns: list[int] = []
    values: list[float] = []
    ends = [0]
    for text in texts:
        own = Counter(places[term] for term in terms_of(text) if term in places)
        columns += own
        values += own.values()
        ends.append(len(columns))
    which = np.array(columns, np.int64)
    found = (1 + np.log(np.array(values, np.float32))) * weights[which]
    sizes = np.diff(ends)
    owners = np.repeat(np.arange(len(texts)), sizes)
    norms = np.sqrt(np.bincount(owners, found**2, len(texts)))
    scaled = (found / norms[owners]).astype(np.float32) if len(found) else found
    return csr_array((scaled, which, np.array(ends)), shape=(len(texts), len(weights)))
