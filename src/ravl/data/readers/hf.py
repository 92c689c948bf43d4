"""Hugging Face datasets, from the hub or from a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ravl.data.example import Example, Rejected
from ravl.data.readers.builtin import HUB
from ravl.data.readers.columns import ColumnNames, Layout, check, lay_out
from ravl.data.readers.parquet import named
from ravl.data.readers.places import PlaceError, Root
from ravl.data.readers.rows import RowMaker, embedded
from ravl.data.readers.source import GroupedSource, ReadOptions
from ravl.data.staging import Row
from ravl.errors import DataError


class _Split(NamedTuple):
    name: str
    data: Any  # Dataset, or IterableDataset where it is streamed
    first: int  # number of its first row among all splits
    classes: dict[str, list[str]]


class HuggingFaceSource(GroupedSource):
    """A dataset of the Hugging Face hub, or one saved with ``save_to_disk``.

    Pictures are read as encoded bytes, columns by their usual names, classes by name. Code that
    comes with a dataset is never run. A dataset of the hub is streamed once to a temporary disk
    file, because rows of one picture can be far apart.

    Args:
        source: a folder, or ``hf:name``, ``hf:name:split``, ``hf:name:configuration:split``.
        options: columns; split (default: all, with a column "split"); root (default: the folder),
            which pictures that are files must lie in.

    Raises:
        DataError: if ``datasets`` is not installed, there is no such dataset or split, or it
            has neither pictures nor texts.
    """

    def __init__(self, source: str | Path, options: ReadOptions) -> None:
        self._folder = source if isinstance(source, Path) else None
        name, config, split = str(source), None, options.split
        if isinstance(source, str):
            name, config, named_split = _parts(source)
            split = named_split or split
        super().__init__(str(source), str(source) if self._folder is None else self._folder.name)
        self._streamed = self._folder is None
        self._root = Root(options.root or Path(name))
        loaded = _load(name, config, split, streamed=self._streamed)
        self._splits = list(_splits(loaded, named_split=split))
        self._names, self._layout = _columns(options.columns, self._splits[0].data, self.name)
        relative = self._root.relative
        self._make = RowMaker(self._names, self.where, relative=relative)

    def rows(self) -> Iterator[Row | Rejected]:
        """Every row of every split."""
        for split in self._splits:
            for number, record in enumerate(_undecoded(split.data)):
                place = f"{split.name}, row {number + 1}" if split.name else f"row {number + 1}"
                for column, classes in split.classes.items():
                    record[column] = named(record[column], classes)
                if split.name and len(self._splits) > 1:
                    record.setdefault("split", split.name)
                yield self._row(record, place, split.first + number)

    def finish(self, row: Row) -> Example | Rejected:
        """The row with its picture: bytes, or a file below the root."""
        picture: Path | bytes | None
        try:
            if isinstance(row.picture, str):
                picture = self._root.find(row.picture)
            elif isinstance(row.picture, int):
                picture = self._bytes(row.picture)
            else:
                picture = row.picture
        except PlaceError as error:
            return Rejected(f"{self.where}, {row.place}", str(error))
        return self.example(row, picture)

    def _row(self, record: dict[str, Any], place: str, number: int) -> Row | Rejected:
        row = self._make.row(record, place, number + 1)
        if isinstance(row, Rejected):
            return row
        if isinstance(row.picture, bytes) and not self._streamed:
            row.picture = number  # the dataset on disk keeps the bytes
        elif isinstance(row.picture, str) and "://" in row.picture:
            return self._fetched(row)
        return row

    def _fetched(self, row: Row) -> Row | Rejected:
        """The row of a picture that lies on the hub as a file of its own."""
        import fsspec

        path = str(row.picture)
        try:
            with fsspec.open(path, "rb") as file:
                row.picture, row.same = embedded(file.read(), path.split("::")[0])
        except (OSError, ValueError) as error:
            return Rejected(f"{self.where}, {row.place}", f"{path} cannot be fetched: {error}")
        return row

    def _bytes(self, number: int) -> bytes:
        split = next(s for s in reversed(self._splits) if s.first <= number)
        value = _undecoded(split.data)[number - split.first][self._layout.image]
        content: bytes = value["bytes"] if isinstance(value, dict) else value
        return content


def _parts(source: str) -> tuple[str, str | None, str | None]:
    """Name, configuration and split of ``hf:name[[:configuration]:split]``."""
    name, *rest = source.removeprefix(HUB).split(":")
    if not name or len(rest) > 2 or not all(rest):
        raise DataError(
            f"{source!r} is no dataset; write hf:name, hf:name:split or "
            "hf:name:configuration:split."
        )
    return name, rest[0] if len(rest) == 2 else None, rest[-1] if rest else None


def _load(name: str, config: str | None, split: str | None, *, streamed: bool) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            "Reading Hugging Face datasets needs the package `datasets`, which is not installed. "
            "Install it with: pip install 'ravl[datasets]'"
        ) from error
    try:
        if not streamed:
            loaded = datasets.load_from_disk(name)
            return loaded[split] if split is not None else loaded
        return datasets.load_dataset(
            name, config, split=split, streaming=True, trust_remote_code=False
        )
    except KeyError as error:
        raise DataError(f"{name} has no split {split!r}; it has {', '.join(loaded)}.") from error
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise DataError(f"The dataset {name} cannot be opened: {error}") from error


def _splits(loaded: Any, named_split: str | None) -> Iterator[_Split]:
    several = loaded if isinstance(loaded, dict) else {named_split or "": loaded}
    first = 0
    for name, data in several.items():
        if data.features is None:
            data = data._resolve_features()  # a stream without a header: from its first rows
        yield _Split(name, data, first, _class_names(data.features))
        first += data.num_rows if hasattr(data, "num_rows") else 0


def _columns(names: ColumnNames, data: Any, where: str) -> tuple[ColumnNames, Layout]:
    """The layout, where a column that holds pictures counts as one whatever it is called."""
    import datasets

    found = tuple(data.features)
    pictures = [name for name in found if isinstance(data.features[name], datasets.Image)]
    usual = lay_out(names, found).image
    if names.image is None and pictures and usual not in pictures:
        names = replace(names, image=pictures[0])
    return names, check(names, found, where)


def _undecoded(data: Any) -> Any:
    """The dataset with pictures as bytes, and no other formatting."""
    import datasets

    for name, feature in data.features.items():
        if isinstance(feature, datasets.Image):
            data = data.cast_column(name, datasets.Image(decode=False))
    return data


def _class_names(features: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, feature in features.items():
        inner = getattr(feature, "feature", feature)
        if hasattr(inner, "int2str"):
            found[name] = list(inner.names)
    return found
