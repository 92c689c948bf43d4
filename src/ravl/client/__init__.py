"""The client of ``ravl serve``: the local API, executed by a server.

``Client`` and ``AsyncClient`` have the methods of :class:`ravl.Memory` and of the models of
:func:`ravl.load`, with the same arguments and results; see :mod:`ravl.client.methods`.
"""

from ravl.errors import RavlError

try:
    import httpx2  # noqa: F401
except ModuleNotFoundError as error:
    raise RavlError(
        'The client needs the package httpx2. Install it with: pip install "ravl[client]"'
    ) from error

from ravl.client.clients import AsyncClient, Client
from ravl.client.problems import ServerError
from ravl.client.streams import AsyncStream, Stream
from ravl.runs.provenance import Provenance

__all__ = ["AsyncClient", "AsyncStream", "Client", "Provenance", "ServerError", "Stream"]
