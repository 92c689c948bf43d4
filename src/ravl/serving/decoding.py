"""Decoding what clients send: in threads of its own, within a budget of pixels.

A file of 34 bytes can be a picture of 50 million pixels. So sizes are read from the headers first,
and a request whose pictures are too large is refused before a pixel is decoded. The threads are
not those that read the memory: pictures that take long stop no other answer. Each thread gives
pictures that can take long to a process of its own, which is killed after ``DEADLINE`` seconds.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from time import monotonic

from PIL import Image

from ravl.data import pictures
from ravl.data.decoder_process import DecoderProcess
from ravl.errors import PictureError
from ravl.serving.problems import Problem

THREADS = 2
MOST_SENT = 1_000_000_000  # pixels of all pictures of one request
MOST_KEPT = 50_000_000  # pixels of one request's pictures, once they are reduced
MOST_WAITING = 2_000_000_000  # pixels of all requests that wait or are being decoded
STUCK = 10.0  # seconds after which a thread that decodes counts as busy for long
SMALL = 4_000_000  # pixels and bytes; smaller pictures take a fraction of a second, in the thread
DEADLINE = 20.0  # seconds that a picture may take in a process


class Decoders:
    """Decodes pictures of requests.

    Args:
        most: pixels of one picture.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._pool = ThreadPoolExecutor(THREADS, "ravl decoder")
        self._lock = threading.Lock()
        self._waiting = 0  # pixels
        self._began: dict[int, float] = {}  # when each thread began with its picture
        self._large = threading.Lock()  # one large picture at a time, in all processes together
        self._own = threading.local()  # the process of each thread
        self._processes: list[DecoderProcess] = []

    async def decode(self, data: Sequence[bytes], hint: int) -> list[Image.Image]:
        """The pictures of one request, as :meth:`decode_each`.

        Raises:
            PictureError: one of them cannot be read, or is too large.
        """
        found = await self.decode_each(data, hint)
        return [_picture(one) for one in found]

    async def decode_each(
        self, data: Sequence[bytes], hint: int
    ) -> list[Image.Image | PictureError]:
        """The pictures of one request, reduced as :func:`ravl.data.pictures.decode` does.

        Args:
            data: their files.
            hint: side in pixels that is needed.

        Returns:
            Each picture, or why it cannot be read.

        Raises:
            Problem: 413, they are too large together; 429, too many wait already.
        """
        loop = asyncio.get_running_loop()
        infos = await loop.run_in_executor(self._pool, lambda: [_probed(d) for d in data])
        sizes = [info.width * info.height for info in infos]
        kept = [pictures.reduced_pixels(info.width, info.height, hint) for info in infos]
        allowed = [size for size in sizes if size <= self._most]  # the others are refused alone
        if sum(allowed) > MOST_SENT or (len(kept) > 1 and sum(kept) > max(MOST_KEPT, self._most)):
            raise Problem(
                413,
                f"The pictures have {sum(sizes):,} pixels together. At most {MOST_SENT:,} are "
                f"decoded in one request, and {MOST_KEPT:,} once they are reduced. Send fewer or "
                "smaller pictures.",
            )
        futures = self._submitted(data, sizes, hint)
        try:
            return [await asyncio.wrap_future(future) for future in futures]
        finally:
            for future in futures:
                future.cancel()

    @property
    def free(self) -> bool:
        """False while every thread has been busy with one picture for long."""
        now = monotonic()
        with self._lock:
            return sum(now - began > STUCK for began in self._began.values()) < THREADS

    def close(self) -> None:
        """Let go of the threads."""
        for process in self._processes:
            process.close()
        self._pool.shutdown(cancel_futures=True)

    def _submitted(
        self, data: Sequence[bytes], sizes: Sequence[int], hint: int
    ) -> list[Future[Image.Image | PictureError]]:
        with self._lock:
            if self._waiting + sum(sizes) > max(MOST_WAITING, sum(sizes)):
                raise Problem(429, "Too many pixels are waiting. Ask again in a moment.", retry=2)
            self._waiting += sum(sizes)
        futures = []
        for one, size in zip(data, sizes, strict=True):
            future = self._pool.submit(self._decoded, one, size, hint)
            future.add_done_callback(partial(self._ended, size))
            futures.append(future)
        return futures

    def _decoded(self, data: bytes, size: int, hint: int) -> Image.Image | PictureError:
        thread = threading.get_ident()
        with self._lock:
            self._began[thread] = monotonic()
        try:
            if size <= SMALL and len(data) <= SMALL:
                return pictures.decode(data, hint=hint, max_pixels=self._most)
            with self._large if size > pictures.LARGE else nullcontext():
                return self._process().decode(data, hint, self._most, DEADLINE)
        except PictureError as error:
            return error
        finally:
            with self._lock:
                del self._began[thread]

    def _process(self) -> DecoderProcess:
        """This thread's own."""
        process: DecoderProcess | None = getattr(self._own, "process", None)
        if process is None:
            process = self._own.process = DecoderProcess()
            with self._lock:
                self._processes.append(process)
        return process

    def _ended(self, size: int, _: Future[Image.Image | PictureError]) -> None:
        with self._lock:
            self._waiting -= size


def _probed(data: bytes) -> pictures.PictureInfo:
    """Size by the header; none of a file that cannot be read, which decoding will say."""
    try:
        return pictures.probe(data)
    except PictureError:
        return pictures.PictureInfo(0, 0, "")


def _picture(found: Image.Image | PictureError) -> Image.Image:
    if isinstance(found, PictureError):
        raise found
    return found
