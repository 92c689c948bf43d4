"""Pictures that are decoded in a process of their own."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from ravl.data import pictures
from ravl.data.decoder_process import DecoderProcess
from ravl.errors import PictureError

MOST = 50_000_000


def encoded(size: tuple[int, int], format: str, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 80).convert(mode).save(out, format)
    return out.getvalue()


@pytest.fixture
def process() -> Iterator[DecoderProcess]:
    made = DecoderProcess()
    yield made
    made.close()


def replaced(process: DecoderProcess, code: str) -> None:
    """Let another program stand in for the decoder."""
    process.close()
    process._process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_it_decodes_as_this_process_does(process: DecoderProcess) -> None:
    for size, format, mode in (
        ((1200, 900), "JPEG", "RGB"),
        ((300, 200), "PNG", "L"),
        ((64, 64), "WEBP", "RGB"),
        ((1, 1), "BMP", "RGB"),
    ):
        data = encoded(size, format, mode)
        for hint in (16, 224):
            here = pictures.decode(data, hint=hint)
            there = process.decode(data, hint, MOST, 60)
            assert np.array_equal(np.asarray(here), np.asarray(there)), (format, hint)


def test_a_picture_that_cannot_be_read_is_refused_with_the_same_words(
    process: DecoderProcess,
) -> None:
    sound = encoded((300, 200), "PNG")
    for data, most in ((b"", MOST), (b"no picture", MOST), (sound[:-40], MOST), (sound, 100)):
        with pytest.raises(PictureError) as here:
            pictures.decode(data, hint=32, max_pixels=most)
        with pytest.raises(PictureError) as there:
            process.decode(data, 32, most, 60)
        assert str(here.value) == str(there.value)
    assert process.decode(sound, 32, MOST, 60).size == (150, 100)


def test_one_that_takes_too_long_is_ended(process: DecoderProcess) -> None:
    data = encoded((300, 200), "PNG")
    replaced(process, "import time; time.sleep(1000)")
    slow = process._process
    assert slow is not None
    with pytest.raises(PictureError, match=r"takes more than 0\.01 seconds to decode"):
        process.decode(data * 100, 32, MOST, 0.01)
    assert slow.returncode is not None
    assert process.decode(data, 32, MOST, 60).size == (150, 100)


def test_a_decoder_that_crashes_ends_nothing_else(process: DecoderProcess) -> None:
    data = encoded((300, 200), "PNG")
    for code in ("import sys; sys.stdin.read(1)", "import os; os.abort()"):
        replaced(process, code)
        with pytest.raises(PictureError, match="the decoder crashed"):
            process.decode(data, 32, MOST, 60)
        assert process.decode(data, 32, MOST, 60).size == (150, 100)


def test_what_a_library_prints_is_no_answer(process: DecoderProcess) -> None:
    replaced(
        process,
        "from ravl.data import decoder_process as d; from ravl.data import pictures as p\n"
        "usual = p.decode\n"
        "p.decode = lambda *a, **k: (print('a warning', flush=True), usual(*a, **k))[1]\n"
        "d.answer()",
    )
    assert process.decode(encoded((300, 200), "PNG"), 32, MOST, 60).size == (150, 100)
