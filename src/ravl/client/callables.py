"""The types of the methods that answer: one picture gives one answer, a list gives a list.

Each protocol of a call has three type parameters: what one question gives, what several give, and
what several give with ``return_exceptions``. Of a ``Client`` these are an answer and lists; of an
``AsyncClient`` awaitables of them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, Unpack, overload

from ravl.client.decorators import carried
from ravl.client.options import FindOptions, HowOptions, WriteOptions
from ravl.client.plans import Plan
from ravl.client.provenance import ServedHits
from ravl.client.sending import Source
from ravl.errors import PictureError
from ravl.memory import Row
from ravl.retrieval.retriever import Many, One

if TYPE_CHECKING:
    from ravl.client.clients import AsyncClient, Client

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)
One_co = TypeVar("One_co", covariant=True)
Many_co = TypeVar("Many_co", covariant=True)
Each_co = TypeVar("Each_co", covariant=True)
Later = Coroutine[object, None, A]
Query = One | Row


class Search(Protocol[One_co, Many_co, Each_co]):
    """``client.search``."""

    @overload
    def __call__(
        self, query: Query | None = None, k: int = 10, **options: Unpack[FindOptions]
    ) -> One_co: ...
    @overload
    def __call__(
        self,
        query: Many,
        k: int = 10,
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[FindOptions],
    ) -> Many_co: ...
    @overload
    def __call__(
        self,
        query: Many,
        k: int = 10,
        *,
        return_exceptions: bool,
        **options: Unpack[FindOptions],
    ) -> Each_co: ...


class Answers(Protocol[One_co, Many_co, Each_co]):
    """``client.classify`` and ``client.tag``."""

    @overload
    def __call__(self, pictures: Source, **options: Unpack[HowOptions]) -> One_co: ...
    @overload
    def __call__(
        self,
        pictures: Iterable[Source],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[HowOptions],
    ) -> Many_co: ...
    @overload
    def __call__(
        self,
        pictures: Iterable[Source],
        *,
        return_exceptions: bool,
        **options: Unpack[HowOptions],
    ) -> Each_co: ...


class Captions(Protocol[One_co, Many_co, Each_co]):
    """``client.caption``."""

    @overload
    def __call__(self, pictures: Source, **options: Unpack[WriteOptions]) -> One_co: ...
    @overload
    def __call__(
        self,
        pictures: Iterable[Source],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[WriteOptions],
    ) -> Many_co: ...
    @overload
    def __call__(
        self,
        pictures: Iterable[Source],
        *,
        return_exceptions: bool,
        **options: Unpack[WriteOptions],
    ) -> Each_co: ...


class Matches(Protocol[One_co, Many_co, Each_co]):
    """``client.match``."""

    @overload
    def __call__(self, pictures: Source, texts: str, **options: Unpack[HowOptions]) -> One_co: ...
    @overload
    def __call__(
        self,
        pictures: Source | Iterable[Source],
        texts: str | Iterable[str],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[HowOptions],
    ) -> Many_co: ...
    @overload
    def __call__(
        self,
        pictures: Source | Iterable[Source],
        texts: str | Iterable[str],
        *,
        return_exceptions: bool,
        **options: Unpack[HowOptions],
    ) -> Each_co: ...


class Replies(Protocol[One_co, Many_co, Each_co]):
    """``client.ask``."""

    @overload
    def __call__(
        self, pictures: Source, questions: str, **options: Unpack[WriteOptions]
    ) -> One_co: ...
    @overload
    def __call__(
        self,
        pictures: Source | Iterable[Source],
        questions: str | Iterable[str],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[WriteOptions],
    ) -> Many_co: ...
    @overload
    def __call__(
        self,
        pictures: Source | Iterable[Source],
        questions: str | Iterable[str],
        *,
        return_exceptions: bool,
        **options: Unpack[WriteOptions],
    ) -> Each_co: ...


class Searching(Protocol):
    """A method that searches, of either client."""

    @overload
    def __get__(
        self, client: Client, owner: object
    ) -> Search[ServedHits, list[ServedHits], list[ServedHits | PictureError]]: ...
    @overload
    def __get__(
        self, client: AsyncClient, owner: object
    ) -> Search[
        Later[ServedHits], Later[list[ServedHits]], Later[list[ServedHits | PictureError]]
    ]: ...


class Answering(Protocol[A]):
    """A method that gives labels or tags, of either client."""

    @overload
    def __get__(
        self, client: Client, owner: object
    ) -> Answers[A, list[A], list[A | PictureError]]: ...
    @overload
    def __get__(
        self, client: AsyncClient, owner: object
    ) -> Answers[Later[A], Later[list[A]], Later[list[A | PictureError]]]: ...


class Captioning(Protocol[A]):
    """A method that describes, of either client."""

    @overload
    def __get__(
        self, client: Client, owner: object
    ) -> Captions[A, list[A], list[A | PictureError]]: ...
    @overload
    def __get__(
        self, client: AsyncClient, owner: object
    ) -> Captions[Later[A], Later[list[A]], Later[list[A | PictureError]]]: ...


class Matching(Protocol[A]):
    """A method that compares pictures with texts, of either client."""

    @overload
    def __get__(
        self, client: Client, owner: object
    ) -> Matches[A, list[A], list[A | PictureError]]: ...
    @overload
    def __get__(
        self, client: AsyncClient, owner: object
    ) -> Matches[Later[A], Later[list[A]], Later[list[A | PictureError]]]: ...


class Replying(Protocol[A]):
    """A method that answers questions, of either client."""

    @overload
    def __get__(
        self, client: Client, owner: object
    ) -> Replies[A, list[A], list[A | PictureError]]: ...
    @overload
    def __get__(
        self, client: AsyncClient, owner: object
    ) -> Replies[Later[A], Later[list[A]], Later[list[A | PictureError]]]: ...


Planning = Callable[..., Plan[object]]  # a method that makes the plan


def searching(plan: Planning) -> Searching:
    """A method that searches by a plan."""
    found: Searching = carried(plan)
    return found


def answering(_kind: type[A]) -> Callable[[Planning], Answering[A]]:
    """A method that gives labels or tags of a class by a plan."""
    return carried


def captioning(_kind: type[A]) -> Callable[[Planning], Captioning[A]]:
    """A method that describes by a plan, with captions of a class."""
    return carried


def matching(_kind: type[A]) -> Callable[[Planning], Matching[A]]:
    """A method that compares pictures with texts by a plan, with answers of a class."""
    return carried


def replying(_kind: type[A]) -> Callable[[Planning], Replying[A]]:
    """A method that answers questions by a plan, with replies of a class."""
    return carried
