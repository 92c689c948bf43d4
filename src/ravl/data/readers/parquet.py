"""Parquet files: records in batches; pictures in the file are fetched when needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ravl.data.readers.columns import refuse_doubles
from ravl.errors import DataError
from ravl.untrusted import parse_json

ROWS = 4_096  # a batch of rows without pictures
PICTURES = 32  # a batch of rows with pictures
BUFFER = 2**20  # without it, Arrow reads a whole column of a row group at once


class Parquet:
    """A Parquet file as mappings of names to values.

    Args:
        path: the file. If Hugging Face ``datasets`` wrote it, classes are read by name.

    Raises:
        DataError: if the file cannot be read, or is not Parquet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as file:
            schema = file.schema_arrow
            self.header: tuple[str, ...] = tuple(schema.names)
            refuse_doubles(path, self.header)
            self._classes = _classes(schema.metadata or {})
            self._heavy = any("binary" in str(field.type) for field in schema)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self._records(None)

    def column(self, name: str) -> Iterator[Any]:
        """The values of one column, from the first row on."""
        for record in self._records([name]):
            yield record[name]

    def _records(self, columns: list[str] | None) -> Iterator[dict[str, Any]]:
        with self._opened() as file:
            size = PICTURES if self._heavy else ROWS
            for batch in file.iter_batches(batch_size=size, columns=columns):
                for record in self._records_of(batch):
                    for name, classes in self._classes.items():
                        if name in record:
                            record[name] = named(record[name], classes)
                    yield record

    def _records_of(self, batch: Any) -> list[dict[str, Any]]:
        try:
            return batch.to_pylist()  # type: ignore[no-any-return]
        except (OverflowError, ValueError):  # such as a date after the year 9999
            columns = {
                name: [self._value(value, name) for value in column]
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            }
            return [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]

    def _value(self, value: Any, name: str) -> Any:
        """One value for Python; a text where Python has no such value."""
        import pyarrow

        try:
            return value.as_py()
        except (OverflowError, ValueError) as error:
            try:
                return value.cast(pyarrow.string()).as_py()
            except pyarrow.ArrowException:
                raise DataError(
                    f"{self.path} has a value in the column {name!r} that Python cannot read "
                    f"({error}). Leave the column out, or write it as text."
                ) from error

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import pyarrow
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(
                self.path, buffer_size=BUFFER, pre_buffer=False
            ) as file:
                yield file
        except (pyarrow.ArrowException, UnicodeDecodeError) as error:
            raise DataError(f"{self.path} is not a valid Parquet file: {error}.") from error
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error}.") from error


def named(value: object, classes: list[str]) -> Any:
    """The names of classes given by number, one or a list; -1, "unknown", becomes None."""
    if isinstance(value, list):
        return [named(item, classes) for item in value]
    if isinstance(value, int):
        return classes[value] if 0 <= value < len(classes) else None
    return value


def _classes(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """The class names of ClassLabel columns, from the metadata of Hugging Face datasets."""
    try:
        features = parse_json(metadata[b"huggingface"])["info"]["features"]
        found = {name: _names(feature) for name, feature in features.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
    return {name: classes for name, classes in found.items() if classes}


def _names(feature: object) -> list[str]:
    if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
        return [str(name) for name in feature["names"]]
    inner = feature.get("feature") if isinstance(feature, dict) else None
    return _names(inner) if inner else []
