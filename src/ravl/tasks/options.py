"""Options of answers: what all tasks take, and what tasks that write texts take beside that.

Each is written down twice: as an :class:`Option`, which REST and the command line read, and as a
key of a ``TypedDict``, which type checkers read. A test compares both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import TYPE_CHECKING, TypedDict

from ravl.errors import QueryError

if TYPE_CHECKING:
    from pathlib import Path

    from ravl.data import ColumnNames
    from ravl.models.generation.base import Decoding


@dataclass(frozen=True)
class Option:
    """An option of a task's answers, as REST and the command line offer it.

    Args:
        name: keyword of :meth:`ravl.tasks.contract.Pipeline.predict`.
        kind: ``int``, ``float``, ``bool``, ``str``, or ``tuple`` for several texts.
        help: one sentence.
        default: what is meant where it is not given.
        low, high: bounds of a number, themselves allowed; None for no bound.
    """

    name: str
    kind: type
    help: str
    default: object = None
    low: float | None = None
    high: float | None = None


HOW = (
    Option("k", int, "Neighbours that count.", low=1, high=1_000),
    Option("retrieval", bool, "False for the model alone.", True),
    Option("vote_only", bool, "True for the memory alone.", False),
    Option(
        "abstain", float, "Mark answers too unsure for this share of wrong ones.", low=0, high=1
    ),
)
WRITING = (
    Option("instruction", str, "Style or audience, for generators that read it.", ""),
    Option("num_return_sequences", int, "Number of different texts.", low=1, high=16),
    Option("max_new_tokens", int, "Maximal number of tokens.", low=1, high=512),
    Option("do_sample", bool, "Draw the words at random."),
    Option("temperature", float, "Of the sampling.", low=0.001, high=10),
    Option("seed", int, "Of the sampling.", low=0, high=2**31 - 1),
    Option("require", tuple, "Words that must occur.", ()),
    Option("forbid", tuple, "Words that must not occur.", ()),
)


class EvaluateOptions(TypedDict, total=False):
    """Options of evaluation, see :func:`ravl.tasks.fit.evaluate`."""

    columns: ColumnNames | None
    root: str | Path | None
    progress: bool | None
    seed: int


class JudgeOptions(TypedDict, total=False):
    """Which parts of a run answer.

    ``k``: neighbours that count; None for as many as were fitted.
    ``retrieval``: False for the model alone.
    ``vote_only``: True for the memory alone.
    """

    k: int | None
    retrieval: bool
    vote_only: bool


class AnswerOptions(TypedDict, total=False):
    """Options of any answer.

    ``k``: neighbours that count; None for as many as were fitted.
    ``retrieval``: False for the model alone.
    ``vote_only``: True for the memory alone.
    ``abstain``: mark answers that are too unsure for this share of wrong ones.
    """

    k: int | None
    retrieval: bool
    vote_only: bool
    abstain: float | None


class DecodingOptions(TypedDict, total=False):
    """Single values of the decoding; the others stay as the run has them."""

    num_return_sequences: int | None
    max_new_tokens: int | None
    do_sample: bool | None
    temperature: float | None
    seed: int | None
    require: Sequence[str]
    forbid: Sequence[str]


class WritingOptions(DecodingOptions, total=False):
    """How a text is written.

    ``how``: a whole decoding; None for the run's usual.
    ``instruction``: style or audience, for generators that read it.
    """

    how: Decoding | None
    instruction: str


class TextOptions(AnswerOptions, WritingOptions, total=False):
    """Options of an answer that a generator may write."""


class CaptionOptions(TextOptions, total=False):
    """Options of a caption.

    ``grounded``: only nouns that the evidence has, or that the encoder is sure to see.
    """

    grounded: bool


def check_options(
    predict: Callable[..., object], options: Sequence[Option], given: Iterable[str]
) -> None:
    """Refuse options that a pipeline does not have.

    Args:
        predict: of the pipeline.
        options: of its task.
        given: names of options.

    Raises:
        QueryError: names the first that there is not, and those that there are.
    """
    found = signature(predict).parameters.values()
    names = [each.name for each in found if each.kind is Parameter.KEYWORD_ONLY]
    if any(each.kind is Parameter.VAR_KEYWORD for each in found):
        names += ["how", *(option.name for option in options)]
    for name in given:
        if name not in names:
            allowed = ", ".join(dict.fromkeys(names))
            raise QueryError(f"There is no option {name!r}; there are: {allowed}.")
