"""Reading the examples of a source: their rows as they should be, and their pictures decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ravl.data import Example, Rejected, pictures
from ravl.encoders.base import Array, Encoder
from ravl.errors import PictureError
from ravl.memory.moves import holds
from ravl.memory.provenance import Claim, absolute, contradicts, merged
from ravl.memory.renames import Deferred
from ravl.store.collection import Collection
from ravl.store.row import Row, unwritable
from ravl.store.space import MOST_TEXTS


@dataclass(frozen=True, slots=True)
class LoadedExample:
    """An example whose file has been read.

    Args:
        row: as it should be in the memory.
        old: as it is there now, None for a new one.
        picture: the encoded bytes, where they are new or to be copied.
        prepared: the network's input (3, H, W), where the picture is new.
        reused: features (F,) and vector (d,) of a new picture, out of another memory.
        lacking: True if the row that is there lacks the vector of a text.
        claim: what the source says of it, where that is not what it said before.
        kept: True if a value stays that a person set, and the source says another one.
    """

    row: Row
    old: Row | None
    picture: bytes | None = None
    prepared: Array | None = None
    reused: tuple[Array, Array] | None = None
    lacking: bool = False
    claim: Claim | None = None
    kept: bool = False

    @property
    def is_new(self) -> bool:
        """True if its picture's vectors are to be written."""
        return self.prepared is not None or self.reused is not None

    @property
    def has_new_texts(self) -> bool:
        """True if the vectors of its texts are to be written."""
        return self.lacking or self.row.texts != (self.old.texts if self.old else ())

    @property
    def changes(self) -> bool:
        """True if there is anything to write."""
        return self.row != self.old or self.picture is not None or self.lacking


@dataclass(frozen=True, slots=True)
class Known:
    """What the memory has of an example.

    Args:
        row: with the example's id; None for a new example.
        copied: True if the memory has a copy of the picture.
        seen: True if the picture has a vector.
        lacking: True if the picture or a text has no vector.
        last: what the source said of the row last; None if it never said anything.
        namesake: another file of the same name that the row is from, where the row has its id from
            this name and a number.
    """

    row: Row | None = None
    copied: bool = False
    seen: bool = False
    lacking: bool = False
    last: Claim | None = None
    namesake: str | None = None


class ExampleLoader:
    """Reads the pictures of examples, and decodes those that are new; in several threads at once.

    Args:
        encoder: that the pictures are prepared for.
        copy: keep a copy of each picture in the memory, so that the file may go.
        max_pixels: pictures with more are set aside.
        claims: whether to say what the source says of each example.
        label_stays: whether a row keeps its label the first time that this source names it; if not
            given, no row does.
        reuse_from: another memory with the same encoder, whose vectors are taken over where it has
            the same picture.

    Attributes:
        hashes: of the pictures of the memory; None if renamed pictures are not looked for.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        copy: bool,
        max_pixels: int,
        claims: bool,
        label_stays: Callable[[Row], bool] | None,
        reuse_from: Collection | None,
    ) -> None:
        self._encoder = encoder
        self._copy = copy
        self._max_pixels = max_pixels
        self._claims = claims
        self._label_stays = label_stays
        self._reuse_from = reuse_from
        self._reusable = reuse_from.rows_by_picture_hash() if reuse_from is not None else {}
        self.hashes: set[str] | None = None

    def load(self, item: Example | Rejected, known: Known) -> LoadedExample | Rejected | Deferred:
        """Read one picture, and decode it if it is new. Runs in a thread."""
        if isinstance(item, Rejected):
            return item
        if known.namesake is not None and known.last is None and item.picture is None:
            reason = f"The id {item.id!r} is already that of a row of {known.namesake}. Index this "
            return Rejected(_place(item), f"{reason}file with --prefix NAME.")
        loaded = self._read(item, known)
        if not isinstance(loaded, LoadedExample):
            return loaded
        claim = Claim.of(item) if self._claims else None
        return replace(
            loaded,
            lacking=known.lacking,
            claim=claim if claim != known.last else None,
            kept=contradicts(loaded.row, item),
        )

    def _read(self, item: Example, known: Known) -> LoadedExample | Rejected | Deferred:
        old = known.row
        stays = old is not None and self._label_stays is not None and self._label_stays(old)
        row = merged(old, item, known.last, label_stays=stays)
        if len(row.texts) > MOST_TEXTS:
            return Rejected(
                _place(item),
                f"{row.id!r} has {len(row.texts):,} texts; a row takes {MOST_TEXTS:,}.",
            )
        if flaw := unwritable(row):
            return Rejected(_place(item), flaw)
        if item.picture is None:
            return LoadedExample(row, old)
        try:
            data = pictures.read_bytes(item.picture)
            hash_ = pictures.content_hash(data)
            same = old is not None and old.hash == hash_
            if old is not None and same and known.seen:
                row = replace(row, path=_better_path(old, item))
                keep = self.keeps(row) and not known.copied
                return LoadedExample(row, old, data if keep else None)
            hashes = self.hashes or ()
            changed = hash_ in hashes if old is None else bool(hashes) and not same
            if changed and isinstance(item.picture, Path):
                return Deferred(item, hash_, old)
            if old is not None and not same and _is_another(old, item):
                reason = f"The id {row.id!r} is already that of {old.path}. Index this folder with "
                return Rejected(_place(item), reason + "--prefix NAME, or delete the other row.")
            if hash_ in self._reusable:
                return self._reused(row, old, data, hash_)
            info = pictures.probe(data)
            picture = pictures.decode(
                data, hint=self._encoder.picture_size, max_pixels=self._max_pixels
            )
            row = replace(
                row,
                hash=hash_,
                width=info.width,
                height=info.height,
                duplicate_of=None,
                phash=pictures.perceptual_hash(picture),
            )
            return LoadedExample(row, old, data, self._encoder.prepare(picture))
        except PictureError as error:
            return Rejected(_place(item), str(error))

    def _reused(self, row: Row, old: Row | None, data: bytes, hash_: str) -> LoadedExample:
        """A new picture that the other memory has: what was computed of it, without decoding."""
        assert self._reuse_from is not None
        theirs, feature, vector = self._reuse_from.row_with_vectors(self._reusable[hash_])
        row = replace(
            row,
            hash=hash_,
            width=theirs.width,
            height=theirs.height,
            duplicate_of=None,
            phash=theirs.phash,
        )
        return LoadedExample(row, old, data, reused=(feature, vector))

    def keeps(self, row: Row) -> bool:
        """True if the picture must be copied in: on request, or since it has no file."""
        return self._copy or row.path is None


def _better_path(old: Row, example: Example) -> Path | None:
    """Of a picture with the same content: where it was if it is still there, else where it is."""
    if not isinstance(example.picture, Path):
        return old.path
    path = absolute(example.picture)
    if old.path is None or old.path == path or not holds(old.path, old.hash):
        return path
    return old.path


def _is_another(old: Row, example: Example) -> bool:
    """True if the id belongs to another picture file, which may be away for now."""
    if old.path is None or not isinstance(example.picture, Path):
        return False
    return old.path != absolute(example.picture)


def _place(example: Example) -> str:
    place = str(example.picture) if isinstance(example.picture, Path) else example.source
    return (place or example.id).encode(errors="backslashreplace").decode()
