"""What ravl writes is there whole or not at all: no new place writes a file under its own name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "ravl"
METHODS = {"write_text", "write_bytes", "save", "save_pretrained", "savez", "write_table", "tofile"}
METHODS |= {"to_parquet", "to_csv", "dump", "fdopen", "ParquetWriter", "open_memmap"}
SHUTIL = {"copy", "copy2", "copyfile", "copytree", "copyfileobj", "move"}
FUNCTIONS = {"save_file", "copytree"}
WHOLE = {"whole_file", "whole_folder"}

NOT_ON_DISK = "into memory"
STAGED = "into a folder or file that gets its name when all is there"
UNFINISHED = "into a run without run.json or metrics.json: the same command writes it again"
ADDED = "a line at the end of a file, in one call"
KNOWN = {  # a list to be shortened
    "cache.py: _make": STAGED,
    "client/sending.py: encoded": NOT_ON_DISK,
    "data/decoder_process.py: answer": "into a pipe",
    "data/pictures.py: thumbnail": NOT_ON_DISK,
    "demo/debian.py: _extract": STAGED,
    "demo/samples.py: fetch.write": STAGED,
    "encoders/builtin_parts.py: _write": STAGED,
    "encoders/builtin_parts.py: write_projection": STAGED,
    "encoders/multilingual_parts.py: _write_tokenizer": STAGED,
    "encoders/wide_parts.py: _write": STAGED,
    "exports/networks.py: _fusion": STAGED,
    "exports/run.py: _write": STAGED,
    "exports/tokenizers.py: _copy": STAGED,
    "kept.py: write": STAGED,
    "memory/exchange.py: _export_jsonl": STAGED,
    "memory/graphs.py: _build": "graph_file.save writes a whole file",
    "memory/exchange.py: _export_parquet": STAGED,
    "models/generation/fused.py: FusedGenerator.save": UNFINISHED,
    "models/generation/server.py: _sent": NOT_ON_DISK,
    "models/generation/vocabulary.py: WordVocabulary.save": UNFINISHED,
    "models/reader.py: Reader.save": UNFINISHED,
    "models/tokenizer.py: WordPieceTokenizer.save": UNFINISHED,
    "refitting/memory_changes.py: examples": "a scratch memory, made anew by each attempt",
    "refitting/versions.py: _link": STAGED,
    "refitting/versions.py: _same": STAGED,
    "runtime/networks.py: _copy": STAGED,
    "serving/audit.py: Audit._open": ADDED,
    "serving/keys.py: keep_line": ADDED,
    "store/sqlite/database.py: publish": "an empty file that claims the name",
    "tasks/caption/files.py: arrays_of": UNFINISHED,
    "tasks/labels/files.py: arrays_of": UNFINISHED,
    "tasks/labels/fit.py: LabelRecipe.finish": UNFINISHED,
    "tasks/match/files.py: arrays_of": UNFINISHED,
    "tasks/search/fit.py: _fit": UNFINISHED,
    "training/dual_encoder/train.py: train_heads": UNFINISHED,
    "training/run_record.py: logs": UNFINISHED,
    "training/vision/tune.py: _finish": UNFINISHED,
    "training/vision/views.py: _Store.add": "a note beside it says how much of it is done",
}


def writes(tree: ast.AST, where: str = "", safe: tuple[str, ...] = ()) -> Iterator[str]:
    """The functions that write under a name which is not that of a stage."""
    for node in ast.iter_child_nodes(tree):
        name, inner = where, safe
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{where}.{node.name}".strip(".")
        if isinstance(node, ast.With | ast.AsyncWith):
            inner = (*safe, *(stage for item in node.items for stage in _stage(item)))
        if isinstance(node, ast.Call) and _writes(node):
            used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            if not used & set(safe):
                yield name
        yield from writes(node, name, inner)


def _stage(item: ast.withitem) -> list[str]:
    call = item.context_expr
    made = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in WHOLE
    return [item.optional_vars.id] if made and isinstance(item.optional_vars, ast.Name) else []


def _writes(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Name):
        return function.id in FUNCTIONS or (function.id == "open" and _to_write(call))
    if not isinstance(function, ast.Attribute):
        return False
    if function.attr in SHUTIL:
        return isinstance(function.value, ast.Name) and function.value.id == "shutil"
    return function.attr in METHODS or (function.attr == "open" and _to_write(call))


def _to_write(call: ast.Call) -> bool:
    """Whether a file is opened to be written; ``os.open`` says so by a flag."""
    modes = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
    texts = [m.value for m in modes if isinstance(m, ast.Constant) and isinstance(m.value, str)]
    flags = [n.attr for m in modes for n in ast.walk(m) if isinstance(n, ast.Attribute)]
    return any(t and set(t) <= set("wax+bt") and set(t) & set("wax+") for t in texts) or any(
        flag in ("O_WRONLY", "O_RDWR") for flag in flags
    )


def test_nothing_new_is_written_in_place() -> None:
    found = {
        f"{file.relative_to(SOURCE).as_posix()}: {name}"
        for file in SOURCE.rglob("*.py")
        if file.parent.name != "files"
        for name in writes(ast.parse(file.read_text("utf-8")))
    }
    new = sorted(found - KNOWN.keys())
    assert not new, f"Write with ravl.files.whole_file or whole_folder: {new}"
    assert not KNOWN.keys() - found, f"Remove from KNOWN: {sorted(KNOWN.keys() - found)}"


def test_the_test_sees_writes() -> None:
    code = """
def a(): file.write_text("x")
def b(): open(file, "w")
def c(): file.open("ab")
def d(): np.save(file, x)
def e():
    with whole_file(file) as half:
        np.save(half, x)
        other.write_bytes(x)
def f():
    with whole_folder(folder) as stage:
        (stage / "a").write_text("x")
def g(): file.open("rb"); open(file); shutil.copy(a, b)
def h(): os.open(file, os.O_WRONLY | os.O_CREAT)
"""
    assert sorted(writes(ast.parse(code))) == ["a", "b", "c", "d", "e", "g", "h"]
