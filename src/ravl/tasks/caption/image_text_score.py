"""How well texts fit pictures, by a dual encoder: two heads that were trained by contrast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ravl.encoders import Encoder
from ravl.encoders.base import Array
from ravl.encoders.heads import Head


@dataclass(frozen=True, eq=False)
class ImageTextScorer:
    """A dual encoder on frozen features.

    Args:
        picture, text: its heads.
        base: that reads texts; None until a memory is at hand.
    """

    picture: Head
    text: Head
    base: Encoder | None = None

    def __call__(self, features: Array, texts: Sequence[Sequence[str]]) -> list[Array]:
        """Cosines of some texts of each picture, (c,) each; every text is read once.

        Args:
            features: of the pictures' frozen tower, (n, F).
            texts: candidates of each.
        """
        assert self.base is not None
        different = list(dict.fromkeys(text for its in texts for text in its))
        if not different:
            return [np.zeros(0, np.float32) for _ in texts]
        read = self.text(self.base.embed_texts(different))
        places = {text: i for i, text in enumerate(different)}
        seen = self.picture(features)
        return [
            np.asarray(read[[places[t] for t in its]] @ line, np.float32)
            if its
            else np.zeros(0, np.float32)
            for its, line in zip(texts, seen, strict=True)
        ]
