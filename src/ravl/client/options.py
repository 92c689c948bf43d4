"""What can be said beside pictures and texts, as the types of keywords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from ravl.retrieval.options import QueryOptions

if TYPE_CHECKING:
    from ravl.models.generation.base import Decoding


class FindOptions(QueryOptions, total=False):
    """Of a search; see :meth:`ravl.Memory.search`. ``rerank`` is the name of a match run here."""

    rerank: str | None


class HowOptions(TypedDict, total=False):
    """Of an answer.

    ``run``: name of the run; without it the server's first of the task.
    ``k``: neighbours that count; None for as many as were fitted.
    ``retrieval``: False for the model alone.
    ``vote_only``: True for the memory alone.
    ``abstain``: mark answers that are too unsure for this share of wrong ones.
    """

    run: str | None
    k: int | None
    retrieval: bool
    vote_only: bool
    abstain: float | None


class WriteOptions(HowOptions, total=False):
    """Of a text; a decoding ``how``, or what is to be unusual in it, by itself.

    ``instruction``: style or audience, for generators that read it.
    """

    how: Decoding | None
    instruction: str
    candidates: int | None
    longest: int | None
    sample: bool | None
    temperature: float | None
    seed: int | None
    require: Sequence[str]
    forbid: Sequence[str]


class AboutOptions(TypedDict, total=False):
    """Of feedback: what an answer would say of itself.

    ``asked``: the question or the text beside the picture.
    """

    task: str
    run: str | None
    version: int | None
    asked: str | None
