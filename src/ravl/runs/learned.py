"""The pictures that a run was fitted to, by the hashes of their files."""

from __future__ import annotations

from ravl.runs.run import Run
from ravl.untrusted import MOST_OF_PICTURES, read_json

SPLIT_FILE = "split.json"  # which picture was in which split, by id and by the hash of its file
LEARNED = ("train", "validation")  # splits of which a fit has seen the labels


def learned_hashes(run: Run) -> frozenset[str] | None:
    """The hashes of the pictures that a run was fitted to, or chosen by.

    None where the run does not say it: it is of an older ravl, or its file is damaged.
    """
    try:
        hashes = read_json(run.folder / SPLIT_FILE, MOST_OF_PICTURES)["hashes"]
        return frozenset(str(h) for name in LEARNED for h in hashes[name])
    except (OSError, ValueError, KeyError, TypeError):
        return None
