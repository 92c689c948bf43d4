"""Spaces: the vectors that one encoder computed for every row.

There is one *current* space. Re-embedding builds another beside it while readers keep using the
old one, and then puts the new one in its place in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ravl.encoders import Encoder, Fingerprint, load_encoder

Kind = Literal["vectors", "text_vectors", "features"]
KINDS: tuple[Kind, ...] = ("vectors", "text_vectors", "features")
SpaceStage = Literal["current", "building"]

TEXT_BITS = 16  # a text's key is its row's number and its position among the row's texts
MOST_TEXTS = 1 << TEXT_BITS  # of one row


@dataclass(frozen=True, slots=True)
class Space:
    """One encoder's vectors.

    Args:
        number: of the space, never used again.
        fingerprint: of the encoder.
        dimension: d of its vectors.
        since: for one being built, the newest change of the memory that it has seen.
    """

    number: int
    fingerprint: Fingerprint
    dimension: int
    since: int


class SpaceState(NamedTuple):
    """What a cache of vectors follows; equal states mean equal vectors.

    Args:
        space: number of the current space.
        dimension: d of its vectors.
        change: number of the newest change of the memory.
    """

    space: int
    dimension: int
    change: int


def bits_of(kind: Kind) -> int:
    """How far to shift a vector's key to the right for the number of its row."""
    return TEXT_BITS if kind == "text_vectors" else 0


def space_encoder(
    space: Space,
    state: Mapping[str, bytes],
    given: Encoder | None = None,
    found_in: str = "The memory",
) -> Encoder:
    """The encoder of a space, from its name and the state that is kept with it.

    Args:
        space: whose encoder.
        state: of it, as the store keeps it.
        given: use this one instead; for a trained encoder, its base will do.
        found_in: the memory, as the beginning of a sentence.

    Raises:
        AddressError: it is not on this machine, and the user has not named it.
        EncoderError: it cannot be loaded.
        EncoderMismatchError: the base of a trained encoder computes something else than it did.
    """
    if given is not None and (given.state() or not state):
        return given
    return load_encoder(space.fingerprint.spec, state, base=given, found_in=found_in)
