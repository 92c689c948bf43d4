"""A process that decodes pictures for another one, and can be ended in the middle of one.

Pillow cannot be stopped while it decodes. So a server gives pictures of strangers to such a process
and kills it when a picture takes too long; the next picture gets a new process. A picture that
crashes a decoder, or takes all memory, ends this process and not the server.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO

from PIL import Image

from ravl.data import pictures
from ravl.errors import PictureError

ASKED = struct.Struct("<QQQ")  # bytes of the file, hint, pixels at most
PIPE = 2**20  # bytes of a pipe: most pictures go through in one piece
FOUND = struct.Struct("<?QII")  # decoded or not, bytes that follow, width, height


class DecoderProcess:
    """Decodes one picture at a time, for one thread; the process begins with the first picture."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin the process, unless it runs."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            code = (
                f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import answer; answer()"
            )
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pipesize=PIPE,
            )

    def decode(self, data: bytes, hint: int, max_pixels: int, seconds: float) -> Image.Image:
        """As :func:`ravl.data.pictures.decode`, within a time.

        Raises:
            PictureError: as there; or it takes longer, or ends the process.
        """
        self.start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()
        timer = threading.Timer(seconds, _end, (process, late))
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(ASKED.pack(len(data), hint, max_pixels))
            process.stdin.write(data)
            process.stdin.flush()
            decoded, count, width, height = FOUND.unpack(_read(process.stdout, FOUND.size))
            body = _read(process.stdout, count)
        except (OSError, EOFError):
            self.close()
            why = (
                f"takes more than {seconds:g} seconds to decode"
                if late.is_set()
                else "cannot be decoded: the decoder crashed or had too little memory"
            )
            raise PictureError(f"The picture {why}. Save it again with another program.") from None
        finally:
            timer.cancel()
        if not decoded:
            raise PictureError(body.decode("utf-8", "replace"))
        return Image.frombytes("RGB", (width, height), body)

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # what was not sent is lost with the process
                if pipe is not None:
                    pipe.close()


def _end(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def answer() -> None:
    """The process's own work: decode what comes in until nothing comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the server ends it
    asked, found = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    with suppress(EOFError, BrokenPipeError):
        while True:
            count, hint, max_pixels = ASKED.unpack(_read(asked, ASKED.size))
            data = _read(asked, count)
            try:
                picture = pictures.decode(data, hint=hint, max_pixels=max_pixels)
                body, width, height = picture.tobytes(), picture.width, picture.height
            except PictureError as error:
                body, width, height = str(error).encode("utf-8", "replace"), 0, 0
            found.write(FOUND.pack(width > 0, len(body), width, height))
            found.write(body)
            found.flush()


def _read(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data
