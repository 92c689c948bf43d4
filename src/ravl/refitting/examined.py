"""What two models answer to the same examples, in a form that is the same for all tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation import Score
from ravl.memory import Row
from ravl.retrieval.bank import Ints

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True, eq=False)
class Examined:
    """Both models' answers to n examples: pictures, questions about them, or pairs with texts.

    Args:
        judged: by the metrics of which task, see :mod:`ravl.evaluation`.
        unit: what examples are called, in the plural.
        rows: the picture of each.
        groups: equal for near-duplicates, (n,).
        asked: the question or text of each; None where there is none.
        truth: what is right of each, in words.
        said: each one's answers in words, and how sure it is, by ``champion`` and ``challenger``.
        worth: how good each answer is, (n,): 1 for right and 0 for wrong, or the text's quality.
        measure: the metrics of one of them for some examples.
        compare: the challenger's less the champion's for some examples, paired.
        quality: what ``worth`` is where answers are not just right or wrong, such as CIDEr-D.
    """

    judged: str
    unit: str
    rows: Sequence[Row]
    groups: Ints
    asked: Sequence[str | None]
    truth: Sequence[str]
    said: Mapping[str, Sequence[tuple[str, float]]]
    worth: Mapping[str, NDArray[np.floating]]
    measure: Callable[[str, Ints], dict[str, Score]]
    compare: Callable[[Ints], dict[str, Score]]
    quality: str | None = None
