"""The answers to a list of pictures, and the errors of those that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from ravl.client.sending import Source, unsendable
from ravl.errors import PictureError

A = TypeVar("A")


class Places(Generic[A]):
    """Each answer of a list in its place, or why the picture there cannot be read.

    Args:
        sources: the pictures; one that is single is for all places, None is a place without one.
        noun: what has a picture: "Picture" or "Query".
        return_exceptions: True for an error in its place, False to raise the first one.
    """

    def __init__(
        self, sources: Sequence[Source | None], noun: str, return_exceptions: bool
    ) -> None:
        self._sources = sources
        self._noun = noun
        self._return_exceptions = return_exceptions
        self._found: dict[int, A | PictureError] = {}
        self._asked: list[int] = []
        self._answered = 0

    def sendable(self, order: Iterable[int]) -> list[int]:
        """The places whose pictures can be sent, in this order.

        Raises:
            PictureError: one cannot be sent, and errors are raised.
        """
        problems = [unsendable(source) for source in self._sources]
        for i in order:
            problem = problems[i % len(problems)]
            if problem is None:
                self._asked.append(i)
            else:
                self._put(i, problem)
        return self._asked

    def read(self, answers: list[A | PictureError]) -> list[A | PictureError]:
        """Put the next answers of the server into their places.

        Raises:
            PictureError: the server could not read a picture, and errors are raised.
        """
        for answer in answers:
            self._put(self._asked[self._answered], answer)
            self._answered += 1
        return answers

    def results(self) -> list[A | PictureError]:
        """What is in each place."""
        return [self._found[i] for i in sorted(self._found)]

    def _put(self, i: int, found: A | PictureError) -> None:
        if isinstance(found, PictureError) and not self._return_exceptions:
            count = len(self._sources)
            raise found.among(i % count, count, self._noun)
        self._found[i] = found
