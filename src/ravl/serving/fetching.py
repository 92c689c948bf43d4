"""Pictures by URL, where the operator allows it: never from private or loopback addresses.

The check is where connections are made: a host is resolved once, every address that it has is
checked, and the connection goes to a checked address. So neither a redirect nor a name that
resolves otherwise the second time leads anywhere else. Proxies of the environment are not asked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from urllib.parse import urljoin, urlsplit

import httpcore2 as httpcore

from ravl import __version__
from ravl.errors import PictureError

REDIRECTS = 3
PORTS = {"http": 80, "https": 443}
MOVED = (301, 302, 303, 307, 308)
SECONDS = 10.0

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Fetcher:
    """Gets pictures from public addresses.

    Args:
        most: bytes of a picture.
        seconds: for all of one picture, redirects included.
        resolve: the addresses of a host; None for the system's.
        backend: makes connections; None for the usual.
    """

    def __init__(
        self,
        most: int,
        seconds: float = SECONDS,
        resolve: Resolve | None = None,
        backend: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._most, self._seconds = most, seconds
        self._backend = _Guarded(resolve or _resolve, backend or httpcore.AnyIOBackend())

    async def get(self, url: str) -> bytes:
        """The bytes at a URL.

        Raises:
            Problem: the URL or its address is not allowed.
            PictureError: nothing can be had there, or too much.
        """
        try:
            async with (
                asyncio.timeout(self._seconds),
                httpcore.AsyncConnectionPool(network_backend=self._backend) as pool,
            ):
                for _ in range(REDIRECTS + 1):
                    data, url = await self._step(pool, url)
                    if data is not None:
                        return data
        except TimeoutError:
            raise PictureError(
                f"The picture's server took longer than {self._seconds:g} s. Send the picture "
                "itself."
            ) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise PictureError(
                f"The picture cannot be fetched ({type(error).__name__}). Check the URL, or send "
                "the picture itself."
            ) from error
        raise PictureError(f"The picture's URL leads to more than {REDIRECTS} others.")

    async def _step(self, pool: httpcore.AsyncConnectionPool, url: str) -> tuple[bytes | None, str]:
        """The bytes, or None and where to look next."""
        headers = [("Accept", "image/*"), ("User-Agent", f"ravl/{__version__}")]
        async with pool.stream("GET", _checked(url), headers=headers) as response:
            if response.status in MOVED:
                found = {name.lower(): value for name, value in response.headers}
                return None, urljoin(url, found.get(b"location", b"").decode("latin-1"))
            if response.status != 200:
                raise PictureError(
                    f"The picture's server answered {response.status}. Check the URL."
                )
            parts, size = [], 0
            async for part in response.aiter_stream():
                size += len(part)
                if size > self._most:
                    raise PictureError(
                        f"The picture at the URL has more than the {self._most:,} bytes allowed."
                    )
                parts.append(part)
            return b"".join(parts), url


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only."""

    def __init__(self, resolve: Resolve, backend: httpcore.AsyncNetworkBackend) -> None:
        self._resolve, self._inner = resolve, backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to a checked address of the host."""
        addresses = await self._resolve(host, port)
        if not addresses or not all(is_public(address) for address in addresses):
            raise PictureError("The picture's URL leads to an address that is not public.")
        return await self._inner.connect_tcp(
            addresses[0], port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        """Refused."""
        raise PictureError("The picture's URL leads to an address that is not public.")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


UNICAST = ipaddress.ip_network("2000::/3")  # all addresses of the IPv6 internet
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # an IPv4 address is in the last 32 bits
NEVER = tuple(  # special uses in the space of public addresses, which not every Python knows
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20"),
    )
)


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet, also an IPv4 one inside an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if found not in UNICAST:
            return False
    if any(found in network for network in NEVER if network.version == found.version):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _checked(url: str) -> str:
    """A URL that may be asked for."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname
    except ValueError:
        raise PictureError("The picture's URL is not valid.") from None
    if parts.scheme not in PORTS or not host or parts.username or parts.password:
        raise PictureError("The picture's URL must begin with https:// or http:// and a host.")
    if port not in (None, PORTS[parts.scheme]):
        raise PictureError(f"The picture's URL names the port {port}; only 80 and 443 are asked.")
    if not url.isascii() or any(ord(c) <= 32 for c in url):
        raise PictureError("The picture's URL holds signs that must be percent-encoded.")
    return url


async def _resolve(host: str, port: int) -> Sequence[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise PictureError("The host of the picture's URL is not known. Check the URL.") from None
    return [str(entry[4][0]) for entry in found]
