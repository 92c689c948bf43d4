"""Whatever writes, another process may write the same rows at the same time.

Each way to write is run while another process comes in between: just before one of its
transactions, so after all that it has read until then. Afterwards nothing of the other's work may
be lost, unless it is exactly what this one was told to write, and every row has the vectors of its
own texts and of its own picture. So a write that rests on what was read before its transaction is
found here, wherever it is; and a list of all transactions in the code makes sure that none is left
out.
"""

from __future__ import annotations

import ast
import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import ravl
from ravl.checking.fixes import fix
from ravl.checking.issue import Issue
from ravl.data import QA, Example
from ravl.errors import RavlError
from ravl.memory import Memory
from ravl.memory.adding import add_rows
from ravl.memory.editing import edit
from ravl.serving.reviewing import remember as use_feedback
from ravl.store.collection import Collection
from ravl.store.sqlite import SqliteStore
from ravl.store.sqlite.feedback import Entry, FeedbackStore, beside
from ravl.training.examples import read_labelled, read_tables
from ravl.training.examples import remember as remember_table
from tests.helpers import ColourEncoder, draw, make_examples
from tests.memory.soundness import find_colour_encoder, is_sound

SOURCES = Path(ravl.__file__).parent
A, B, C = "red_000.png", "green_001.png", "blue_002.png"  # B is the row that the other writes
NEW_B = "b.png"  # its name in one way
HAND = "by hand"


@dataclass
class Shop:
    """A memory, and what the ways to write need.

    Args:
        memory: of four rows, whose pictures lie in ``pictures``.
        folder: of everything.
    """

    memory: Memory
    folder: Path
    pictures: Path = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = self.folder / "pictures"

    def table(self, **columns: str) -> Path:
        """A table that says something about A, B and C."""
        file = self.pictures / "table.csv"
        with file.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["image", *columns])
            writer.writerows([id, *columns.values()] for id in (A, B, C))
        return file


# --- the ways to write ---------------------------------------------------------------------


def update_label(shop: Shop) -> None:
    shop.memory.update(B, label="mine")


def update_texts(shop: Shop) -> None:
    shop.memory.update(B, texts=["a yellow text", "and a black one"])


def update_tags_and_questions(shop: Shop) -> None:
    shop.memory.update(B, tags=["t"], qa=[QA("q", ("a",))])


def update_a_column(shop: Shop) -> None:
    shop.memory.update(B, columns={"mine": 1})


def update_many_columns(shop: Shop) -> None:
    shop.memory.update_columns({id: {"mine": 1} for id in (A, B, C)}, "columns")


def delete(shop: Shop) -> None:
    shop.memory.delete([A, C])


def delete_by_a_filter(shop: Shop) -> None:
    shop.memory.delete(where='label = "red"')


def edit_and_throw(shop: Shop) -> None:
    edit(shop.memory, "edit", {B: lambda row: replace(row, tags=("t",))}, [A])


def index_columns(shop: Shop) -> None:
    shop.memory.index(shop.table(mine="1"), progress=False)


def index_captions(shop: Shop) -> None:
    shop.memory.index(shop.table(caption="a purple caption"), progress=False)


def index_changed_pictures(shop: Shop) -> None:
    for i, id in enumerate((A, B, C)):
        draw(100 + i, "white").save(shop.pictures / id)
    shop.memory.index(shop.pictures, progress=False)


def index_new_pictures(shop: Shop) -> None:
    draw(50, "purple").save(shop.pictures / "new.png")
    shop.memory.index(shop.pictures, progress=False)


def index_renamed_pictures(shop: Shop) -> None:
    (shop.pictures / B).rename(shop.pictures / NEW_B)
    (shop.pictures / C).rename(shop.pictures / "renamed.png")
    shop.memory.index(shop.pictures, progress=False)


def add_examples(shop: Shop) -> None:
    shop.memory.add([Example(id, shop.pictures / id, tags=("t",)) for id in (A, B, C)])


def add_new_rows(shop: Shop) -> None:
    draw(50, "purple").save(shop.folder / "one.png")
    picture = (shop.folder / "one.png").read_bytes()
    add_rows(shop.memory, [Example("one", picture, ("a purple one",)), Example("two")])


def sync(shop: Shop) -> None:
    """Afterwards A is gone, C is renamed, B is another picture, and one is new."""
    (shop.pictures / A).unlink()
    (shop.pictures / C).rename(shop.pictures / "renamed.png")
    draw(51, "purple").save(shop.pictures / B)
    draw(52, "orange").save(shop.pictures / "new.png")
    shop.memory.sync(shop.pictures, progress=False)


def sync_touched(shop: Shop) -> None:
    """B has other texts beside it."""
    (shop.pictures / B).with_suffix(".txt").write_text("a white text")
    shop.memory.sync(progress=False)


def restore(shop: Shop) -> None:
    edit(shop.memory, "throw", {}, [A, C])
    shop.memory.restore()


def restore_of_another_encoder(shop: Shop) -> None:
    edit(shop.memory, "throw", {}, [A, C])
    shop.memory.reembed(ColourEncoder(turn=1), progress=False)
    shop.memory.restore()


def empty_the_trash(shop: Shop) -> None:
    edit(shop.memory, "throw", {}, [A])
    shop.memory.empty_trash()


def revert(shop: Shop) -> None:
    """Changes A and C back, and brings a third row back; the row B is as it was."""
    version = shop.memory.version
    shop.memory.update(A, label="wrong", texts=["a wrong text"])
    shop.memory.delete([C])
    shop.memory.revert(version)


def merge(shop: Shop) -> None:
    with Memory.create(shop.folder / "other.ravl", ColourEncoder()) as other:
        other.add(Example(id, shop.pictures / id, ("a white merge",)) for id in (A, B, C))
        draw(50, "purple").save(shop.folder / "one.png")
        other.add([Example("one", shop.folder / "one.png", ("a purple one",))])
        shop.memory.merge(other)


def reembed(shop: Shop) -> None:
    shop.memory.reembed(ColourEncoder(turn=1), progress=False)


def relabel(shop: Shop) -> None:
    findings = [
        Issue("mislabel", (id,), 1.0, "", "relabel", "likely", given=(shop.memory.get(id).label,))
        for id in (A, B, C)
    ]
    fix(shop.memory, findings, "relabel")


def merge_duplicates(shop: Shop) -> None:
    fix(shop.memory, [Issue("duplicate", (B, A), 1.0, "", "merge")], "merge")


def drop(shop: Shop) -> None:
    fix(shop.memory, [Issue("blank", (A,), 1.0, "", "drop")], "drop")


def feedback(task: str, answer: object, asked: str | None = None) -> Callable[[Shop], None]:
    def use(shop: Shop) -> None:
        store = FeedbackStore(beside(shop.memory.path))
        said = Entry(
            who="w", task=task, run="", answer=answer, verdict="accepted", asked=asked, row=B
        )
        use_feedback(shop.memory, store, store.add(said))
        store.close()

    use.__name__ = f"feedback_{task}"
    return use


def feedback_about_an_upload(shop: Shop) -> None:
    store = FeedbackStore(beside(shop.memory.path))
    draw(50, "purple").save(shop.folder / "one.png")
    said = Entry(who="w", task="classify", run="", answer="thing", verdict="accepted")
    entry = store.add(said, (shop.folder / "one.png").read_bytes())
    use_feedback(shop.memory, store, entry)
    store.close()


def remember_what_a_table_says(shop: Shop) -> None:
    since = shop.memory.version
    table = shop.table(label="of the table", caption="a purple caption")
    with read_tables(shop.memory, {"data": table}, shop.folder / "work", None, False) as scratch:
        said = read_labelled(scratch, shop.memory, lambda row: [row.label or ""])
        remember_table(shop.memory, said, "a fit", since=since)


def choose_hubness(shop: Shop) -> None:
    shop.memory.set_hubness(0.5)


def compact(shop: Shop) -> None:
    shop.memory.delete([A])
    shop.memory.compact()


def forget(shop: Shop) -> None:
    shop.memory.forget([A])


# What each way writes of the row B, if both write it; and the moments at which the other comes.
WAYS: dict[Callable[[Shop], None], set[str]] = {
    update_label: {"label"},
    update_texts: {"texts"},
    update_tags_and_questions: set(),
    update_a_column: set(),
    update_many_columns: set(),
    delete: set(),
    delete_by_a_filter: set(),
    edit_and_throw: set(),
    index_columns: set(),
    index_captions: set(),
    index_changed_pictures: set(),
    index_new_pictures: set(),
    index_renamed_pictures: set(),
    add_examples: set(),
    add_new_rows: set(),
    sync: set(),
    sync_touched: set(),
    restore: set(),
    restore_of_another_encoder: set(),
    empty_the_trash: set(),
    revert: set(),
    merge: {"texts"},  # of both: see `union_of`
    reembed: set(),
    relabel: set(),
    merge_duplicates: {"texts"},
    drop: set(),
    feedback("classify", "yours"): {"label"},
    feedback("tag", ["x"]): set(),
    feedback("caption", "a purple caption"): {"texts"},
    feedback("ask", "green", "which colour?"): set(),
    feedback_about_an_upload: set(),
    remember_what_a_table_says: set(),
    choose_hubness: set(),
    compact: set(),
    forget: set(),
}
BOTH_STAY = {"merge", "merge_duplicates", "feedback_caption"}  # their texts come to the other's


# --- what the other does -------------------------------------------------------------------


def name_in(memory: Memory) -> str:
    """The id that the row B has now."""
    return B if B in memory else NEW_B


def edits(other: Memory) -> None:
    texts = ["an orange text by hand", "green", "blue"]
    other.update(name_in(other), label=HAND, columns={"hand": 1}, texts=texts)


def deletes(other: Memory) -> None:
    other.delete([name_in(other)])


def adds(other: Memory) -> None:
    other.add([Example(id, texts=(f"the black row {id}",)) for id in ("one", "new.png")])


def throws(other: Memory) -> None:
    edit(other, "throw", {}, [id for id in (A, C) if id in other])


def moves_on(other: Memory) -> None:
    other.reembed(ColourEncoder(turn=3), progress=False)


OTHERS = (edits, deletes, adds, throws, moves_on)
MOST = 6  # transactions before which the other is tried


@contextmanager
def coming_between(
    shop: Shop, other: Callable[[Memory], None], moment: int, patch: pytest.MonkeyPatch
) -> Iterator[list[int]]:
    """The other writes just before this memory's transaction of that number, from 0."""
    count, begin = [0], SqliteStore.transaction

    def transaction(store: SqliteStore) -> object:
        if store is shop.memory.store:
            count[0] += 1
            if count[0] - 1 == moment:
                with Memory.open(shop.memory.path) as opened:
                    other(opened)
        return begin(store)

    with patch.context() as patched:
        patched.setattr(SqliteStore, "transaction", transaction)
        yield count


@pytest.fixture
def by_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any memory of these tests opens with the encoder that it names by its turn."""
    monkeypatch.setattr(Collection, "_find_encoder", find_colour_encoder)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two-writers")
    with Memory.create(folder / "m.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(folder / "pictures", 4))
        memory.sync(folder / "pictures", progress=False)
    return folder


@pytest.mark.usefixtures("by_colour")
@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.__name__)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_another_process_comes_between(
    way: Callable[[Shop], None],
    other: Callable[[Memory], None],
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import shutil

    for moment in range(MOST):
        folder = tmp_path / str(moment)
        shutil.copytree(made, folder)
        with Memory.open(folder / "m.ravl") as memory:
            shop = Shop(memory, folder)
            refused = None
            with coming_between(shop, other, moment, monkeypatch) as count:
                try:
                    way(shop)
                except RavlError as error:  # a sentence; then nothing of it is done
                    refused = error
            if count[0] <= moment:
                assert refused is None
                return
            is_sound(memory)
            keeps_what_the_other_did(memory, way, other, refused)


def keeps_what_the_other_did(
    memory: Memory,
    way: Callable[[Shop], None],
    other: Callable[[Memory], None],
    refused: RavlError | None,
) -> None:
    """What the other wrote is there, unless this one was told to write the same."""
    if way is revert:  # which undoes all that has been done since
        return
    writes = WAYS[way] if refused is None else set()
    if other is deletes and way is not merge:  # which brings in what another memory has
        assert B not in memory
    if other is adds and way is not feedback_about_an_upload:
        assert memory.get("one").texts[0] == "the black row one"
    if other is edits:
        row = memory.get(name_in(memory))
        assert row.columns["hand"] == 1
        assert "label" in writes or row.label == HAND
        if "texts" not in writes or way.__name__ in BOTH_STAY:
            assert "an orange text by hand" in row.texts
        assert "texts" in writes or len(row.texts) == 3
    if other is moves_on:
        assert memory.store.spaces.current().fingerprint.matches(ColourEncoder(3).fingerprint) or (
            way in (reembed, restore_of_another_encoder)
        )


# --- none is left out ----------------------------------------------------------------------

# Each function that opens a transaction, and the ways above that go through it.
TRANSACTIONS = {
    "memory/compacting.py: compact": [compact],
    "memory/compacting.py: forget": [forget],
    "memory/compacting.py: _finish": [forget],
    "memory/exchange.py: merge": [merge],
    # A note about a file beside the memory; each search compares it with the history.
    "memory/graphs.py: _build": [],
    "memory/graphs.py: remove_graphs": [],
    "memory/indexing.py: Indexer.run": [index_columns, add_examples],
    "memory/indexing.py: Indexer._following_renames": [index_renamed_pictures],
    "memory/indexing.py: Indexer._write": [index_columns, index_captions, index_changed_pictures],
    "memory/memory.py: Memory.delete": [delete, delete_by_a_filter],
    "memory/memory.py: Memory.set_hubness": [choose_hubness],
    "memory/reembedding.py: reembed": [reembed],
    "memory/reembedding.py: _embed": [reembed],
    "memory/syncing.py: _remember": [sync, sync_touched],
    "memory/trash.py: empty": [empty_the_trash],
    "memory/writing.py: Write.attempt": [
        update_label,
        restore,
        revert,
        relabel,
        sync,
        add_new_rows,
    ],
    "training/examples.py: remember": [remember_what_a_table_says],
    "sharing/copies.py: copy_memory": [],  # of a copy that nobody else has
    "sharing/copies.py: _bring_in": [],  # the same
}


def transactions(tree: ast.AST, name: str = "") -> Iterator[str]:
    """Names of the functions that call ``.transaction()``."""
    for node in ast.iter_child_nodes(tree):
        inner = name
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            inner = f"{name}.{node.name}" if name else node.name
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "transaction"
        ):
            yield name
        yield from transactions(node, inner)


def test_every_transaction_of_the_code_is_tried() -> None:
    found = set()
    for path in SOURCES.rglob("*.py"):
        file = path.relative_to(SOURCES).as_posix()
        if not file.startswith(("store/", "testing/")):  # the store's own: see StoreContract
            found |= {f"{file}: {n}" for n in transactions(ast.parse(path.read_text("utf-8")))}
    assert found == set(TRANSACTIONS)
    assert {way for ways in TRANSACTIONS.values() for way in ways} <= set(WAYS)
