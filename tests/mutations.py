"""Files as a stranger may have made them: a sound one with something odd in it.

Each function takes the source of chance, so that a number tells which file it was.
"""

from __future__ import annotations

import copy
import json
import random
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    float("nan"),
    "",
    "\0",
    "../../x",
    "x" * 10_000,
    [],
    {},
    [[]],
    {"": 0},
)
TEXTS = (
    "",
    "[",
    "[]",
    "1",
    "null",
    '"x"',
    "[" * 100_000,
    "[" * 900 + "]" * 900,
    '{"a": 1, "a": 2}',
    '["\\ud800"]',
    "1e999",
    "9" * 5000,
    "[" + "[]," * 400_000 + "[]]",
)
CELLS: tuple[Any, ...] = (
    *TEXTS,
    None,
    -1,
    2**62,
    0.5,
    1e308,
    "\0",
    '["a", 1]',
    '{"a": {}}',
    '[["a", "b"]]',
    '{"a": NaN}',
    "../../../../etc/passwd",
    "/dev/zero",
    "x" * 300,
    b"",
    b"\xff\xfe",
    bytes(100_000),
)
SCHEMAS = (
    "CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM rows; END",
    "CREATE TRIGGER t AFTER UPDATE ON rows BEGIN SELECT load_extension('x'); END",
    "CREATE VIEW more AS SELECT load_extension('x')",
    "CREATE VIRTUAL TABLE more USING fts5 (a)",
    "CREATE INDEX more ON rows (abs(row))",
    "ALTER TABLE {table} ADD COLUMN more TEXT",
    "ALTER TABLE {table} ADD COLUMN more TEXT AS (hex(zeroblob(100000000)))",
    "ALTER TABLE {table} RENAME TO more",
    "DROP TABLE {table}",
    "DROP TABLE {table}; CREATE VIEW {table} AS WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL "
    "SELECT x + 1 FROM n) SELECT x AS row, x AS id, x AS space, x AS key FROM n",
    "DROP TABLE {table}; CREATE TABLE {table} (a)",
    "DELETE FROM {table}",
    "UPDATE keywords_data SET block = x'00'",
    "DELETE FROM keywords_data",
    "DROP TABLE keywords_data",
    "PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = '{table}'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'x' WHERE name = '{table}'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 1 WHERE name = '{table}'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 9999 WHERE name = '{table}'",
)


def mutated(record: Any, draw: random.Random) -> Any:
    """JSON with one value gone, or in its place an odd one."""
    found = copy.deepcopy(record)
    ways = list(_ways(found))
    if not ways:
        return draw.choice(ODD)
    way = draw.choice(ways)
    inner = found
    for step in way[:-1]:
        inner = inner[step]
    if draw.random() < 0.3:
        del inner[way[-1]]
    else:
        inner[way[-1]] = draw.choice(ODD)
    return found


def _ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*way, key)
            yield from _ways(inner, (*way, key))


def odd_json(data: bytes, draw: random.Random) -> bytes:
    """A file of JSON that holds something odd, or is something else."""
    if draw.random() < 0.3:
        return draw.choice(TEXTS).encode()
    return json.dumps(mutated(json.loads(data), draw)).encode()


def odd_arrays(data: bytes, draw: random.Random) -> bytes:
    """A file of safetensors with another header, or with other numbers."""
    size = struct.unpack("<Q", data[:8])[0]
    header, rest = data[8 : 8 + size], data[8 + size :]
    way = draw.randrange(6)
    if way == 0:
        return struct.pack("<Q", draw.choice([0, 1, size - 1, 2**31, 2**63])) + data[8:]
    if way == 1:
        values = draw.choice([b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f"])  # NaN, inf
        return data[: 8 + size] + values * (len(rest) // 4)
    if way == 2:
        return odd_bytes(data, draw)
    record = json.loads(header)
    each = record[draw.choice(list(record))]
    if way == 3:
        each["shape"] = draw.choice([[2**60], [0], [-1], [2**31, 2**31], [1] * 50])
    if way == 4:
        each["dtype"] = draw.choice(["F64", "BF16", "I8", "BOOL", "F16", "x"])
    found = json.dumps(record if way < 5 else mutated(record, draw)).encode()
    return struct.pack("<Q", len(found)) + found + rest


def odd_bytes(data: bytes, draw: random.Random) -> bytes:
    """Some bytes changed, zeroed, cut off or added."""
    found, at = bytearray(data), draw.randrange(max(1, len(data)))
    way = draw.randrange(4)
    if way == 0:
        return bytes(found[:at])
    if way == 1:
        found[at : at + 4096] = bytes(len(found[at : at + 4096]))
    if way == 2:
        found += draw.randbytes(draw.randrange(1, 20_000))
    for _ in range(draw.randrange(1, 64) if way == 3 else 0):
        found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def odd_file(file: Path, draw: random.Random) -> None:
    """A file of a run with something odd in it."""
    data = file.read_bytes()
    if file.suffix == ".json":
        data = odd_json(data, draw)
    elif file.suffix == ".safetensors":
        data = odd_arrays(data, draw)
    else:
        data = odd_bytes(data, draw)
    file.write_bytes(data)


def odd_memory(file: Path, draw: random.Random) -> str:
    """Put something odd into a memory; returns what, for the message of a test that fails."""
    way = draw.choice(["cell"] * 5 + ["encoder"] * 2 + ["schema"] * 2 + ["bytes", "log", "header"])
    if way == "bytes":
        file.write_bytes(odd_bytes(file.read_bytes(), draw))
    elif way == "log":
        for end in ("-wal", "-journal"):
            file.with_name(file.name + end).write_bytes(
                odd_bytes(struct.pack(">II", 0x377F0682, 3007000) + draw.randbytes(50_000), draw)
            )
    else:
        with closing(sqlite3.connect(file)) as connection, suppress(sqlite3.Error):
            if way == "header":
                name = draw.choice(["application_id", "user_version"])
                value = draw.choice([-1, 0, 2, 99, 2**31 - 1])
                way = f"PRAGMA {name} = {value}"
                connection.execute(way)
            elif way == "schema":
                way = draw.choice(SCHEMAS).format(table=draw.choice(_tables(connection)))
                connection.execute("PRAGMA foreign_keys = OFF")
                connection.executescript(way)
            elif way == "encoder":
                way = _odd_encoder(connection, draw)
            else:
                way = _odd_cell(file, connection, draw)
            connection.commit()
    return way


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' "
        "AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'keywords%' ORDER BY name"
    )
    return [name for (name,) in found]


def _odd_encoder(connection: sqlite3.Connection, draw: random.Random) -> str:
    """Something odd in the fingerprint, or in the files of a trained encoder."""
    parts = connection.execute("SELECT rowid, name, bytes FROM encoder_parts").fetchall()
    if not parts or draw.random() < 0.5:
        (text,) = connection.execute("SELECT fingerprint FROM spaces").fetchone()
        odd = odd_json(text.encode(), draw).decode()
        connection.execute("UPDATE spaces SET fingerprint = ?", (odd,))
        return f"fingerprint {odd:.200}"
    number, name, data = draw.choice(parts)
    new = odd_json(data, draw) if name.endswith(".json") else odd_arrays(data, draw)
    connection.execute("UPDATE encoder_parts SET bytes = ? WHERE rowid = ?", (new, number))
    return f"{name} {new!r:.200}"


def _odd_cell(file: Path, connection: sqlite3.Connection, draw: random.Random) -> str:
    """Something odd in one cell, or one column, of one table, whatever its type is."""
    full = [t for t in _tables(connection) if connection.execute(f"SELECT 1 FROM {t}").fetchone()]
    table = draw.choice([*full, "rows", "spaces"])
    names = [name for (_, name, *_) in connection.execute(f"PRAGMA table_info({table})")]
    name = draw.choice(names)
    (old,) = connection.execute(f"SELECT {name} FROM {table} ORDER BY random() LIMIT 1").fetchone()
    new = draw.choice(CELLS)
    with suppress(TypeError, ValueError):
        if draw.random() < 0.4:
            new = json.dumps(mutated(json.loads(old), draw))
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    loose = sql.replace("STRICT, WITHOUT", "WITHOUT").replace(") STRICT", ")")
    _rewrite(connection, table, loose)
    where = draw.choice(["", f"WHERE {name} IS (SELECT {name} FROM {table} LIMIT 1)"])
    value = "CAST(? AS TEXT)" if new == b"\xff\xfe" else "?"
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA ignore_check_constraints = ON")
        with suppress(sqlite3.Error):
            other.execute(f"UPDATE OR IGNORE {table} SET {name} = {value} {where}", (new,))
        other.commit()
    _rewrite(connection, table, sql)
    return f"{table}.{name} = {new!r:.200} {where}"


def _rewrite(connection: sqlite3.Connection, table: str, sql: str) -> None:
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, table))
    connection.execute("PRAGMA writable_schema = RESET")
    connection.commit()
