"""Types of the keyword arguments."""

from __future__ import annotations

from typing import TypedDict

from ravl.retrieval.options import QueryOptions
from ravl.tasks.options import AnswerOptions, WritingOptions


class FindOptions(QueryOptions, total=False):
    """Options of a search; see :meth:`ravl.Memory.search`. ``rerank`` is the name of a match run
    here.
    """

    rerank: str | None


class HowOptions(AnswerOptions, total=False):
    """Of an answer; see also :class:`ravl.tasks.options.AnswerOptions`.

    ``run``: name of the run; without it the server's first of the task.
    """

    run: str | None


class WriteOptions(HowOptions, WritingOptions, total=False):
    """Of a text; see also :class:`ravl.tasks.options.WritingOptions`."""


class AboutOptions(TypedDict, total=False):
    """Options of feedback: the fields of an answer.

    ``asked``: the question or the text beside the picture.
    """

    task: str
    run: str | None
    version: int | None
    asked: str | None
