"""Exports and tables as a stranger may have made them: a sound one with something odd in it."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.mutations import ODD, mutated, odd_bytes

PATHS = (
    "../../secret.png",
    "../secret.png",
    "/dev/zero",
    "/etc/passwd",
    "C:\\x.png",
    "pictures/../../secret.png",
    "link.png",
    "loop/loop/loop.png",
    "nowhere:x.png",
    "http://192.0.2.1/x.png",
    "file:///etc/passwd",
    "pictures",
    "a\0b",
    "x" * 5000,
    "é" * 200,
)
CELLS = (
    "",
    "\0",
    "x" * 200_000,
    '"',
    "=1+1",
    "[" * 100_000,
    "1e999",
    "9" * 5000,
    "nan",
    "\ud800",
    "\u202e",
    "a;" * 50_000,
    "\r",
    "true",
    "-0",
    *PATHS,
)
HEADERS = ("", "id", "ID", "image", "label", "a b", "\0", "x" * 5000, "row", "path", "split", "1")
COLUMNS: tuple[Callable[[int], pa.Array], ...] = (
    lambda n: pa.nulls(n),
    lambda n: pa.array([2**63 - 1] * n),
    lambda n: pa.array([float("nan")] * n),
    lambda n: pa.array([True] * n),
    lambda n: pa.array([b"\xff\xfe"] * n),
    lambda n: pa.array(["x"] * n).dictionary_encode(),
    lambda n: pa.array([Decimal("1.10")] * n),
    lambda n: pa.array([2**62] * n, pa.timestamp("us")),
    lambda n: pa.array([-(2**31)] * n, pa.date32()),
    lambda n: pa.array([2**40] * n, pa.duration("s")),
    lambda n: pa.array([[["a"], None]] * n),
    lambda n: pa.array([{"bytes": b"", "path": None}] * n),
    lambda n: pa.array([{"bytes": b"\x89PNG", "path": "../../secret.png"}] * n),
    lambda n: pa.array([{"question": None, "answers": ["a", None]}] * n),
    lambda n: pa.array([[{"question": 1, "answers": [1]}]] * n),
    lambda n: pa.array([[("a", "b")]] * n, pa.map_(pa.string(), pa.string())),
    lambda n: pa.array([[None, "a", "a"]] * n),
    lambda n: pa.array(["[" * 900 + "]" * 900] * n),
    lambda n: pa.array(['{"a": {"b": 1}, "": 2, "row": 3}'] * n),
    *((lambda n, text=text: pa.array([text] * n)) for text in PATHS),
)


def odd_table(file: Path, draw: random.Random) -> str:
    """Put something odd into a table of any kind; returns what, for a test that fails."""
    if draw.random() < 0.15:
        file.write_bytes(odd_bytes(file.read_bytes(), draw))
        return "bytes"
    if file.suffix == ".parquet":
        return _odd_parquet(file, draw)
    if file.suffix in (".csv", ".tsv"):
        return _odd_csv(file, draw)
    if file.suffix == ".jsonl":
        return _odd_lines(file, draw)
    record = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(_with_paths(record, draw)), "utf-8")
    return "json"


def odd_folder(folder: Path, draw: random.Random) -> str:
    """Something odd about the files beside a table."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    file = draw.choice(files)
    way = draw.choice(["bytes", "gone", "folder", "link", "pipe", "twice"])
    if way == "bytes":
        file.write_bytes(odd_bytes(file.read_bytes(), draw))
    elif way == "twice":
        (folder / f"{file.stem}.csv").write_bytes(file.read_bytes())
    else:
        file.unlink()
        if way == "folder":
            file.mkdir()
        elif way == "link":
            file.symlink_to(draw.choice([folder.parent / "secret.png", folder, file]))
        elif way == "pipe":
            os.mkfifo(file)
    return f"{file.name}: {way}"


def _with_paths(record: Any, draw: random.Random) -> Any:
    """JSON with an odd value; or with an odd path in the place of a text."""
    if draw.random() < 0.5:
        return mutated(record, draw)
    texts = [(holder, key) for holder, key in _texts(record)]
    if texts:
        holder, key = draw.choice(texts)
        holder[key] = draw.choice(CELLS)
    return record


def _texts(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        if isinstance(inner, str):
            found.append((value, key))
        elif isinstance(inner, dict | list):
            found += _texts(inner)
    return found


def _odd_lines(file: Path, draw: random.Random) -> str:
    lines = file.read_text("utf-8").splitlines()
    at = draw.randrange(len(lines))
    way = draw.choice(["value", "value", "value", "twice", "swap", "odd line"])
    if way == "value":
        lines[at] = json.dumps(_with_paths(json.loads(lines[at]), draw))
    elif way == "twice":
        lines.append(lines[at])
    elif way == "swap":
        lines.insert(0, json.dumps(draw.choice(ODD)))
    else:
        lines[at] = draw.choice(["", "{}", "[]", "null", "{" * 5000, '{"id": 1', '{"id": NaN}'])
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return f"line {at + 1}: {way} {lines[at]:.200}"


def _odd_csv(file: Path, draw: random.Random) -> str:
    tab = "\t" if file.suffix == ".tsv" else ","
    table = list(csv.reader(io.StringIO(file.read_text("utf-8")), delimiter=tab))
    row, column = draw.randrange(len(table)), draw.randrange(len(table[0]))
    way = draw.choice(["cell", "cell", "cell", "header", "short", "long", "column", "twice"])
    new = draw.choice(HEADERS if way == "header" else CELLS)
    if way in ("cell", "header"):
        table[0 if way == "header" else row][column] = new
    elif way == "column":
        for line in table[1:]:
            line[column] = new
    elif way == "short":
        del table[row][column:]
    elif way == "long":
        table[row] += [new] * draw.choice([1, 3, 5000])
    else:
        table.append(table[row])
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=tab).writerows(table)
    file.write_bytes(out.getvalue().encode("utf-8", "surrogatepass"))
    return f"{way} {row}, {column}: {new!r:.200}"


def _odd_parquet(file: Path, draw: random.Random) -> str:
    table = pq.read_table(file)
    at = draw.randrange(table.num_columns)
    name = table.column_names[at]
    way = draw.choice(["column", "column", "column", "gone", "name", "more", "empty", "metadata"])
    other = draw.choice([*HEADERS, *table.column_names])
    made = draw.randrange(len(COLUMNS))
    column = COLUMNS[made](table.num_rows)
    if way == "column":
        table = table.set_column(at, name, column)
    elif way == "gone":
        table = table.remove_column(at)
    elif way == "name":
        names = [other if i == at else n for i, n in enumerate(table.column_names)]
        table = table.rename_columns(names)
    elif way == "more":
        table = table.append_column(other, column)
    elif way == "empty":
        table = table.slice(0, 0)
    else:
        table = table.replace_schema_metadata({draw.choice(["huggingface", "pandas"]): "{" * 99})
    pq.write_table(table, file)
    return f"{way} {name!r} {other!r:.99} {made}"
