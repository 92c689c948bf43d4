"""Plans as methods: a client returns the result of a plan, or an awaitable of it.

The type of a method depends on the client: ``client.count`` is ``Callable[..., int]`` for a
``Client``, and returns an awaitable for an ``AsyncClient``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from ravl.client.plans import Opening, Plan
from ravl.client.streams import AsyncStream, Stream

if TYPE_CHECKING:
    from ravl.client.clients import AsyncClient, Client
    from ravl.client.methods import Methods

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Page = Callable[[int], Plan[tuple[list[T], int | None]]]
"""The items after a number, and the number for the next page; None at the end."""


class Planned(Protocol[P, T_co]):
    """A method that returns something."""

    @overload
    def __get__(self, client: Client, owner: object) -> Callable[P, T_co]: ...
    @overload
    def __get__(
        self, client: AsyncClient, owner: object
    ) -> Callable[P, Coroutine[object, None, T_co]]: ...


class Listed(Protocol[P, T_co]):
    """A method that yields items."""

    @overload
    def __get__(self, client: Client, owner: object) -> Callable[P, Iterator[T_co]]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: object) -> Callable[P, AsyncIterator[T_co]]: ...


class Streamed(Protocol[P]):
    """A method that streams a text."""

    @overload
    def __get__(self, client: Client, owner: object) -> Callable[P, Stream]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: object) -> Callable[P, AsyncStream]: ...


def planned(plan: Callable[Concatenate[Methods, P], Plan[T]]) -> Planned[P, T]:
    """A method that carries out a plan."""
    found: Planned[P, T] = carried(plan)
    return found


def listed(page: Callable[Concatenate[Methods, P], Page[T]]) -> Listed[P, T]:
    """A method that iterates over pages."""
    found: Listed[P, T] = carried(page, "_pages")
    return found


def streamed(opening: Callable[Concatenate[Methods, P], Opening]) -> Streamed[P]:
    """A method that reads a stream."""
    found: Streamed[P] = carried(opening, "_listen")
    return found


def carried(method: Callable[..., object], by: str = "_run") -> Any:
    """A method that hands what another makes to the client's method of that name."""

    @wraps(method)
    def called(client: Methods, *args: object, **kwargs: object) -> object:
        return getattr(client, by)(method(client, *args, **kwargs))

    return called
