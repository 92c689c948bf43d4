"""Suppress progress bars and messages of the libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import logging as hf_logging


@contextmanager
def silence_transformers() -> Iterator[None]:
    """Without the library's own bars and its remarks on what it loads and saves."""
    verbosity = hf_logging.get_verbosity()
    shown = hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        hf_logging.set_verbosity(verbosity)
        if shown:
            hf_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
