"""What ravl expects of every store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ravl.data import QA, Rejected
from ravl.encoders import Fingerprint
from ravl.encoders.base import Array
from ravl.errors import (
    DataError,
    FilterError,
    MemoryFileError,
    RowExistsError,
    RowNotFoundError,
)
from ravl.store.contract import Store
from ravl.store.duplicates import mark_duplicates
from ravl.store.history import AUTHOR
from ravl.store.hubness import read_strength, write_strength
from ravl.store.records import RESTORED, KeptHubs, WatchedFolder
from ravl.store.row import Computed, Row
from ravl.store.space import TEXT_BITS
from ravl.store.vectors import VectorCache

DIMENSION, FEATURES = 3, 5

SHIRT = Row(
    0,
    "shirts/17_red.jpg",
    texts=("a red checked shirt", "红格子衬衫"),
    label="shirt",
    tags=("red", "checked"),
    qa=(QA("what colour?", ("red", "dark red")),),
    columns={"price": 39.5, "brand": "Acme", "sold": True},
    source="shop.csv",
    hash="h1",
    width=640,
    height=480,
    phash=-5,
)
SHOE = Row(
    0,
    "shoes/3.jpg",
    texts=("a black shoe",),
    label="shoe",
    columns={"price": 80, "size": "43"},
    hash="h2",
    phash=1 << 62,
)
NOTE = Row(0, "note", texts=("nothing to see",))

FILTERS = {
    "price < 40": ["shirts/17_red.jpg"],
    "price >= 39.5": ["shirts/17_red.jpg", "shoes/3.jpg"],
    'price < "40"': [],
    "not price < 40": ["note", "shoes/3.jpg"],
    "price is missing": ["note"],
    'label = "shoe" or tags has "red"': ["shirts/17_red.jpg", "shoes/3.jpg"],
    'label != "shoe"': ["note", "shirts/17_red.jpg"],
    'label in ("shoe", "hat")': ["shoes/3.jpg"],
    'texts contains "SHOE"': ["shoes/3.jpg"],
    'texts contains "格子"': ["shirts/17_red.jpg"],
    'id starts with "sh"': ["shirts/17_red.jpg", "shoes/3.jpg"],
    'answers has "dark red"': ["shirts/17_red.jpg"],
    'questions contains "colour"': ["shirts/17_red.jpg"],
    "tags is missing": ["note", "shoes/3.jpg"],
    "width > 600 and sold = true": ["shirts/17_red.jpg"],
    'columns.size = "43"': ["shoes/3.jpg"],
    'brand = "\' OR 1=1 --"': [],
}


def fingerprint(turn: int = 0, tower: int = 0) -> Fingerprint:
    """Of a made-up encoder; another number means other vectors, or another picture network."""
    vector = np.roll(np.arange(1, DIMENSION + 1), turn).astype(np.float16)
    features = np.roll(np.arange(1, FEATURES + 1), tower).astype(np.float16)
    return Fingerprint(f"made-up {turn}", features, vector, vector)


def vectors(*numbers: float) -> Array:
    """One vector of dimension 3 and length 1 for each number, as float16 can keep it."""
    angles = np.array(numbers, np.float32) / 20
    three = np.stack([np.sin(angles), np.cos(angles), 0 * angles], axis=1)
    return three.astype(np.float16).astype(np.float32)


def features(number: float) -> Array:
    """Features of a picture."""
    return np.full(FEATURES, number, np.float32)


def put(store: Store, row: Row, made: Computed | None = None, what: str = "test") -> Row:
    """Add a row, or write it in place of the one with its id; returns it as it is kept.

    In a transaction of its own; a new row gets vectors unless they are given.
    """
    with store.transaction():
        old = store.rows.find([row.id]).get(row.id)
        if old is None:
            made = made or (computed(1, row) if row.hash else Computed(text_vectors=texts_of(row)))
        row = replace(row, number=old.number if old else 0)
        number = store.rows.put(store.history.begin(what), row, made or Computed())
    return store.rows.get([number])[number]


def texts_of(row: Row) -> Array:
    """Vectors of a row's texts."""
    return vectors(*range(len(row.texts))).reshape(len(row.texts), DIMENSION)


def computed(number: float, row: Row, picture: bytes | None = None) -> Computed:
    """What an encoder might make of a row: its vectors are those of that number."""
    texts = vectors(*(number + i / 8 for i in range(len(row.texts)))).reshape(-1, DIMENSION)
    return Computed(vectors(number)[0], features(number), texts, picture)


class StoreContract:
    """Subclass this, and say how a store is made and opened.

    >>> class TestSqliteStore(StoreContract):
    ...     def create(self, folder, fingerprint, encoder_state):
    ...         return SqliteStore.create(folder / "a.ravl", fingerprint, encoder_state)
    ...
    ...     def open(self, folder):
    ...         return SqliteStore(folder / "a.ravl")
    """

    def create(
        self, folder: Path, fingerprint: Fingerprint, encoder_state: Mapping[str, bytes]
    ) -> Store:
        """A new, empty store, whose pictures' folder is this one."""
        raise NotImplementedError

    def open(self, folder: Path) -> Store:
        """The store that :meth:`create` made, as another process opens it."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """An empty store."""
        with closing(self.create(tmp_path, fingerprint(), {"head": b"weights"})) as made:
            yield made

    @pytest.fixture
    def shop(self, store: Store) -> Store:
        """A store with a shirt, a shoe and a note, with vectors."""
        for number, row in enumerate((SHIRT, SHOE, NOTE), 1):
            made = computed(number, row, b"jpeg" if row is SHIRT else None)
            put(store, row, made if row.hash else Computed(text_vectors=made.text_vectors))
        return store

    # --- rows ------------------------------------------------------------------------------

    def test_an_empty_store(self, store: Store) -> None:
        assert store.rows.count() == 0
        assert list(store.rows.iterate()) == []
        assert store.rows.find(["a"]) == {}
        assert store.rows.get([1]) == {}
        assert store.rows.hashes() == []
        assert store.history.newest() == store.history.newest_change() == 0
        assert store.spaces.state() == (store.spaces.current().number, DIMENSION, 0)
        assert not store.trash.entries()
        assert not store.folders.watched()
        assert not store.quarantine.entries()
        assert store.folders.stamps() == {}
        assert store.vectors.read_texts(1).shape == (0, DIMENSION)
        assert list(store.vectors.scan("vectors")) == []
        assert store.words.search("a", 3) == []

    def test_a_row_comes_back_as_it_was(self, store: Store, tmp_path: Path) -> None:
        row = put(store, replace(SHIRT, path=tmp_path / "pictures" / "1.jpg"))
        assert row.added == row.changed != ""
        expected = replace(SHIRT, number=row.number, path=tmp_path / "pictures" / "1.jpg")
        assert replace(row, added="", changed="") == expected
        with closing(self.open(tmp_path)) as other:
            assert list(other.rows.iterate()) == [row]

    def test_a_row_in_place_of_another_keeps_its_number(self, shop: Store) -> None:
        old = shop.rows.find(["note"])["note"]
        new = put(shop, replace(NOTE, label="paper"))
        assert (new.number, new.added, new.label) == (old.number, old.added, "paper")
        assert shop.rows.count() == 3
        assert len(shop.vectors.read_texts(old.number)) == 1, "what was computed stays"

    def test_numbers_are_never_used_again(self, shop: Store) -> None:
        last = shop.rows.find(["note"])["note"]
        with shop.transaction():
            shop.rows.delete(shop.history.begin("delete"), last)
        assert put(shop, NOTE).number > last.number

    def test_rows_come_in_the_order_of_their_numbers(self, store: Store) -> None:
        with store.transaction():
            version = store.history.begin("many")
            numbers = [store.rows.put(version, Row(0, f"row {i}")) for i in range(2500)]
        assert numbers == sorted(set(numbers))
        assert [row.number for row in store.rows.iterate()] == numbers
        assert [row.number for row in store.rows.iterate(after=numbers[-3])] == numbers[-2:]
        assert len(store.rows.find(f"row {i}" for i in range(3000))) == 2500
        assert len(store.rows.get(numbers)) == 2500

    def test_ids_of_any_kind(self, store: Store) -> None:
        ids = ["", " ", "a/b.jpg", "红格子", "it's", '"', "%", "a_b", "A_B", "🙂", "\n", "x" * 5000]
        for id in ids:
            put(store, Row(0, id))
        assert store.rows.find(ids).keys() == set(ids)
        assert store.rows.find(["a_B"]) == {}

    @pytest.mark.parametrize(("where", "ids"), FILTERS.items())
    def test_filters(self, shop: Store, where: str, ids: list[str]) -> None:
        rows = list(shop.rows.iterate(where))
        assert sorted(row.id for row in rows) == ids
        assert shop.rows.count(where) == len(ids)
        matching = shop.rows.matching(where)
        assert matching.dtype == np.int64
        assert matching.tolist() == sorted(row.number for row in rows)

    def test_filters_that_name_no_column(self, shop: Store) -> None:
        for ask in (shop.rows.iterate, shop.rows.count, shop.rows.matching):
            with pytest.raises(FilterError, match="no column 'weight'"):
                ask("weight > 3")
        assert shop.rows.column_names() == {"price", "brand", "sold", "size"}

    def test_paths_move_with_the_folder(self, store: Store, tmp_path: Path) -> None:
        inside = put(store, Row(0, "in", path=tmp_path / "a" / "b.jpg"))
        outside = put(store, Row(0, "out", path=tmp_path.parent / "c.jpg"))
        assert store.folder == tmp_path
        assert inside.path == tmp_path / "a" / "b.jpg"
        assert outside.path == tmp_path.parent / "c.jpg"
        assert [row.id for row in store.rows.with_file()] == ["in", "out"]

    def test_renamed_rows_keep_what_was_computed(self, shop: Store, tmp_path: Path) -> None:
        old = shop.rows.find(["shoes/3.jpg"])["shoes/3.jpg"]
        new = replace(old, id="boots/4.jpg", path=tmp_path / "4.jpg")
        with shop.transaction():
            shop.rows.rename(shop.history.begin("rename"), [(old, new)])
        found = shop.rows.find(["boots/4.jpg", "shoes/3.jpg"])
        assert found.keys() == {"boots/4.jpg"}
        assert found["boots/4.jpg"].path == tmp_path / "4.jpg"
        kept = shop.vectors.read("vectors", [old.number])[old.number]
        np.testing.assert_array_equal(kept, vectors(2)[0])
        assert [row for row, _ in shop.words.search("boots", 3)] == [old.number]

    def test_rows_exchange_their_ids(self, shop: Store) -> None:
        ids = [row.id for row in shop.rows.iterate()][:3]
        old = [shop.rows.find([id])[id] for id in ids]
        new = [replace(row, id=id) for row, id in zip(old, ids[1:] + ids[:1], strict=True)]
        with shop.transaction():
            version = shop.history.begin("rename")
            shop.rows.rename(version, list(zip(old, new, strict=True)))
        found = shop.rows.find(ids)
        assert {id: row.number for id, row in found.items()} == {r.id: r.number for r in new}
        states = shop.history.states(version - 1)
        assert {n: state and state["id"] for n, state in states.items()} == {
            row.number: row.id for row in old
        }

    def test_a_new_row_takes_nobodys_id(self, shop: Store) -> None:
        before = list(shop.rows.iterate())
        note = shop.rows.find(["note"])["note"]
        with (
            pytest.raises(RowExistsError, match="There is a row 'note' already"),
            self.writing(shop),
        ):
            shop.rows.put(1, Row(0, "note", label="another"))
        with pytest.raises(RowExistsError, match=SHOE.id), self.writing(shop):
            shop.rows.rename(1, [(note, replace(note, id=SHOE.id))])
        assert list(shop.rows.iterate()) == before

    def test_a_row_that_has_gone_is_refused(self, shop: Store) -> None:
        """It was read before another process deleted or renamed it."""
        shoe, note = (shop.rows.find([id])[id] for id in (SHOE.id, "note"))
        with shop.transaction():
            version = shop.history.begin("others")
            shop.rows.delete(version, shoe)
            shop.rows.rename(version, [(note, replace(note, id="paper"))])
        before = list(shop.rows.iterate()), shop.history.newest_change()
        for row in (shoe, note):
            for write in (
                lambda row: shop.rows.put(1, replace(row, label="back")),
                lambda row: shop.rows.rename(1, [(row, replace(row, id="other"))]),
                lambda row: shop.rows.delete(1, row),
                lambda row: shop.trash.move(1, row),
            ):
                with (
                    pytest.raises(RowNotFoundError, match="not there any more"),
                    self.writing(shop),
                ):
                    write(row)
        with pytest.raises(RowNotFoundError, match="not in the trash"), self.writing(shop):
            shop.trash.restore(1, shoe, shoe, computed(1, SHOE))
        assert (list(shop.rows.iterate()), shop.history.newest_change()) == before
        assert shop.trash.entries() == []

    def test_the_history_knows_what_was_there(self, shop: Store) -> None:
        """A row that is removed or renamed may have been read before somebody else changed it."""
        shoe, note = (shop.rows.find([id])[id] for id in (SHOE.id, "note"))
        put(shop, replace(shoe, label="boot"))
        put(shop, replace(note, label="paper"))
        newest = shop.history.newest()
        with shop.transaction():
            shop.rows.rename(shop.history.begin("rename"), [(note, replace(note, id="sheet"))])
            shop.rows.delete(shop.history.begin("delete"), shoe)
        states = shop.history.states(newest)
        assert states[shoe.number] == replace(shoe, label="boot").to_json()
        assert states[note.number] == replace(note, label="paper").to_json()
        assert shop.rows.find(["sheet"])["sheet"].label == "paper"

    def test_no_row_without_its_vectors(self, shop: Store) -> None:
        shoe = shop.rows.find([SHOE.id])[SHOE.id]
        for row, made in (
            (replace(SHOE, id="new"), Computed(text_vectors=vectors(1))),
            (replace(SHOE, id="new"), Computed(vector=vectors(1)[0])),
            (replace(shoe, hash="another"), Computed()),
            (replace(shoe, texts=("one", "two")), Computed()),
            (replace(shoe, texts=()), Computed()),
            (replace(shoe, texts=("one", "two")), Computed(text_vectors=vectors(1))),
            (shoe, Computed(text_vectors=vectors(1, 2))),
        ):
            with pytest.raises(DataError, match="Encode"), self.writing(shop):
                shop.rows.put(1, row, made)
        assert put(shop, replace(shoe, label="boot")).label == "boot"
        space = shop.spaces.current().number
        assert shop.vectors.missing(space) == []
        with shop.transaction():
            shop.vectors.write_texts(shoe.number, vectors(1, 2), space)
        assert shop.vectors.missing(space) == [shoe.number], "a vector too many"
        with shop.transaction():
            shop.vectors.delete(shoe.number, space)
        assert shop.vectors.missing(space) == [shoe.number]
        assert shop.vectors.missing(space, [shoe.number, 99]) == [shoe.number]
        assert shop.vectors.missing(space, [1, 3]) == []
        assert put(shop, replace(shoe, label="shoe")).label == "shoe", "it is as it was"

    @staticmethod
    @contextmanager
    def writing(store: Store) -> Iterator[None]:
        """A transaction with a version of its own, number 1 of those in the tests above."""
        with store.transaction():
            store.history.begin("test")
            yield

    def test_deleted_rows_leave_nothing(self, shop: Store) -> None:
        row = shop.rows.find([SHIRT.id])[SHIRT.id]
        with shop.transaction():
            shop.rows.delete(shop.history.begin("delete"), row)
        assert shop.rows.find([SHIRT.id]) == {}
        assert shop.words.search("red checked", 3) == []
        assert shop.rows.picture(row.number) is None
        assert shop.vectors.read("features", [row.number]) == {}
        assert len(shop.vectors.read_texts(row.number)) == 0

    def test_near_duplicates(self, store: Store) -> None:
        rows = [put(store, replace(SHIRT, id=id, hash=id), computed(1, SHIRT)) for id in "abc"]
        with store.transaction():
            assert mark_duplicates(store).groups == [("a", "b", "c")]
        assert [h[1:] for h in store.rows.hashes()] == [
            (id, id, SHIRT.phash, rows[0].number) for id in "abc"
        ]
        assert store.rows.duplicates() == {row.number: rows[0].number for row in rows}
        changed = store.history.newest_change()
        with store.transaction():
            store.rows.delete(store.history.begin("delete"), rows[0])
        assert [each.duplicate_of for each in store.rows.hashes()] == [rows[1].number] * 2
        assert store.history.changed_since(changed) == [rows[0].number]

    def test_copies_of_pictures(self, shop: Store, tmp_path: Path) -> None:
        shirt, shoe = (shop.rows.find([row.id])[row.id] for row in (SHIRT, SHOE))
        assert shop.rows.picture(shirt.number) == b"jpeg"
        assert shop.rows.picture(shoe.number) is None
        assert shop.rows.copied([shirt.number, shoe.number, 99]) == {shirt.number}
        shoe = put(shop, replace(shoe, path=tmp_path / "3.jpg"))
        with shop.transaction():
            shop.rows.copy_in(shoe.number, b"png")
        assert shop.rows.picture(shoe.number) == b"png"
        assert shop.rows.get([shoe.number])[shoe.number].path is None
        assert shop.rows.count_copies() == 2

    # --- words and vectors -----------------------------------------------------------------

    def test_words(self, shop: Store) -> None:
        shirt, shoe = (shop.rows.find([row.id])[row.id].number for row in (SHIRT, SHOE))
        found = shop.words.search("shirts or shoes", 9)
        assert {row for row, _ in found} == {shirt, shoe}
        assert found[0][1] >= found[1][1]
        for query in ("格子", "CHECKED", "acme", "dark", "17", 'red" OR NEAR(*', "衬衫"):
            found = shop.words.search(query, 9)
            assert [row for row, _ in found] == [shirt], query
            assert found[0][1] > 0
        assert shop.words.search("shirt shoe", 9, np.array([shoe])) == shop.words.search("shoe", 1)
        assert shop.words.search("shirt shoe", 9, np.zeros(0, np.int64)) == []
        assert len(shop.words.search("shirt shoe", 1)) == 1
        assert shop.words.search("?!", 9) == []

    def test_words_follow_their_row(self, shop: Store) -> None:
        put(shop, replace(NOTE, texts=("a green hat",)), Computed(text_vectors=vectors(4)))
        assert shop.words.search("nothing", 9) == []
        assert len(shop.words.search("hat", 9)) == 1

    def test_vectors(self, shop: Store) -> None:
        shirt, shoe, note = (shop.rows.find([r.id])[r.id].number for r in (SHIRT, SHOE, NOTE))
        read = shop.vectors.read("vectors", [shoe, shirt, note, 99])
        assert read.keys() == {shirt, shoe}
        np.testing.assert_array_equal(np.stack([read[shirt], read[shoe]]), vectors(1, 2))
        assert read[shirt].dtype == np.float32
        np.testing.assert_array_equal(shop.vectors.read("features", [shoe])[shoe], features(2))
        np.testing.assert_array_equal(shop.vectors.read_texts(shirt), vectors(1, 1.125))
        assert shop.vectors.rows("features") == {shirt, shoe}
        assert shop.vectors.rows("vectors", [shoe, note]) == {shoe}
        assert shop.vectors.count("vectors") == 2
        assert shop.vectors.count("text_vectors") == 4
        keys, matrix = shop.vectors.of_rows("text_vectors", [shirt, note])
        assert keys.tolist() == [shirt << TEXT_BITS, shirt << TEXT_BITS | 1, note << TEXT_BITS]
        np.testing.assert_array_equal(matrix, vectors(1, 1.125, 3))
        assert [keys.tolist() for keys, _ in shop.vectors.scan("vectors", size=1)] == [[1], [2]]
        ((keys, matrix),) = shop.vectors.scan("vectors")
        assert keys.tolist() == [shirt, shoe]
        assert matrix.dtype == np.dtype(np.float16)
        np.testing.assert_array_equal(matrix, vectors(1, 2))

    def test_new_texts_have_their_vectors_alone(self, shop: Store) -> None:
        row = put(shop, replace(SHIRT, texts=("one",)), Computed(text_vectors=vectors(7)))
        np.testing.assert_array_equal(shop.vectors.read_texts(row.number), vectors(7))
        row = put(shop, replace(SHIRT, texts=()), Computed(text_vectors=vectors()[:0]))
        assert len(shop.vectors.read_texts(row.number)) == 0

    def test_a_cache_follows_the_vectors(self, shop: Store) -> None:
        cache = VectorCache(shop, "vectors")
        before = cache.read(shop.spaces.state())
        np.testing.assert_array_equal(before.matrix, vectors(1, 2))
        row = put(shop, replace(NOTE, id="late", hash="h3"), computed(9, NOTE))
        with shop.transaction():
            version = shop.history.begin("delete")
            shop.rows.delete(version, shop.rows.find([SHIRT.id])[SHIRT.id])
        after = cache.read(shop.spaces.state())
        assert after.keys[-1] == row.number
        np.testing.assert_array_equal(after.matrix, vectors(2, 9))
        np.testing.assert_array_equal(before.matrix, vectors(1, 2))

    # --- spaces ----------------------------------------------------------------------------

    def test_the_encoder_is_known(self, store: Store) -> None:
        space = store.spaces.current()
        assert space.fingerprint.to_json() == fingerprint().to_json()
        assert space.dimension == DIMENSION
        assert store.spaces.encoder_state(space.number) == {"head": b"weights"}
        assert store.spaces.find("building") is None

    @pytest.mark.parametrize("keep", [True, False])
    def test_another_space_is_built_and_takes_the_place(self, shop: Store, keep: bool) -> None:
        shirt, shoe, note = (shop.rows.find([r.id])[r.id].number for r in (SHIRT, SHOE, NOTE))
        old = shop.spaces.current()
        with shop.transaction():
            new = shop.spaces.make(fingerprint(turn=1), {"other": b"x"})
        building = shop.spaces.find("building")
        assert building is not None
        assert (building.number, building.since) == (new.number, new.since)
        assert shop.spaces.current().number == old.number
        assert new.since == shop.history.newest_change()
        assert shop.vectors.missing(new.number) == [shirt, shoe, note]
        with shop.transaction():
            for number in (shirt, shoe):
                shop.vectors.write("vectors", number, vectors(number + 10)[0], new.number)
                shop.vectors.write("features", number, features(0), new.number)
            shop.vectors.write_texts(shirt, vectors(11, 12), new.number)
            shop.spaces.advance(new.number, 77)
        assert shop.vectors.missing(new.number) == [shoe, note]
        np.testing.assert_array_equal(shop.vectors.read("vectors", [shirt])[shirt], vectors(1)[0])
        with shop.transaction():
            found = shop.spaces.find("building")
            assert found is not None
            assert found.since == 77
            shop.spaces.switch(old, new, keep_features=keep)
        assert shop.spaces.find("building") is None
        assert shop.spaces.current().number == new.number != old.number
        assert shop.spaces.encoder_state(new.number) == {"other": b"x"}
        kept = shop.vectors.read("features", [shoe])[shoe]
        np.testing.assert_array_equal(kept, features(2 if keep else 0))
        np.testing.assert_array_equal(shop.vectors.read("vectors", [shirt])[shirt], vectors(11)[0])
        np.testing.assert_array_equal(shop.vectors.read_texts(shirt), vectors(11, 12))

    def test_a_space_that_is_given_up(self, shop: Store) -> None:
        with shop.transaction():
            new = shop.spaces.make(fingerprint(turn=1), {})
            shop.vectors.write("vectors", 1, vectors(5)[0], new.number)
            shop.vectors.delete(1, new.number)
            assert shop.vectors.count("vectors", new.number) == 0
            shop.spaces.drop(new.number)
        assert shop.spaces.find("building") is None
        with shop.transaction():
            assert shop.spaces.make(fingerprint(turn=2), {}).number > new.number

    # --- history ---------------------------------------------------------------------------

    def test_history(self, store: Store) -> None:
        token = AUTHOR.set("Ann")
        row = put(store, SHOE, what="index shoes")
        AUTHOR.reset(token)
        first = store.history.newest_change()
        put(store, replace(SHOE, label="boot"), what="update shoes/3.jpg")
        put(store, NOTE, what="add")
        with store.transaction():
            store.rows.delete(
                store.history.begin("delete"), store.rows.get([row.number])[row.number]
            )
        versions = store.history.versions(None, 10)
        assert [v.number for v in versions] == [4, 3, 2, 1]
        assert (versions[3].who, versions[3].what) == ("Ann", "index shoes")
        assert [(v.added, v.updated, v.deleted) for v in versions] == [
            (0, 0, 1),
            (1, 0, 0),
            (0, 1, 0),
            (1, 0, 0),
        ]
        assert [v.number for v in store.history.versions(SHOE.id, 2)] == [4, 2]
        assert store.history.newest() == 4
        note = store.rows.find(["note"])["note"].number
        assert store.history.changed_since(0) == [row.number, note]
        assert store.history.changed_since(first) == [row.number, note]
        assert store.history.changed_since(store.history.newest_change()) == []
        states = store.history.states(1)
        assert states.keys() == {row.number, note}
        assert states[note] is None
        assert states[row.number] == SHOE.to_json()
        assert store.history.states(0) == {row.number: None, note: None}
        assert store.history.states(4) == {}
        with store.transaction():
            store.history.amend(4, "delete (done)")
        assert store.history.versions(None, 1)[0].what == "delete (done)"

    def test_what_was_deleted_is_forgotten(self, shop: Store) -> None:
        with shop.transaction():
            for row in (SHIRT, SHOE):
                version = shop.history.begin(f"delete {row.id}")
                shop.rows.delete(version, shop.rows.find([row.id])[row.id])
            shop.trash.move(shop.history.begin("sync"), shop.rows.find(["note"])["note"])
        with shop.transaction():
            assert shop.history.forget_deleted() == 2
            assert shop.history.forget_deleted() == 0
            assert shop.rows.column_names()
            shop.rows.forget_column_names()
            assert not shop.rows.column_names()
        shop.compact()
        known = str([v.to_json() for v in shop.history.versions(None, 99)])
        known += str(shop.history.states(0)) + str(shop.history.states(3))
        assert SHIRT.id not in known
        assert SHOE.id not in known
        assert "nothing to see" in known, "what lies in the trash is kept"
        assert shop.size() > 0

    # --- trash -----------------------------------------------------------------------------

    def trashed(self, store: Store, id: str) -> Row:
        """Move a row to the trash; returns it."""
        row = store.rows.find([id])[id]
        with store.transaction():
            store.trash.move(store.history.begin("trash"), row)
        return row

    def test_the_trash(self, shop: Store, tmp_path: Path) -> None:
        shoe, shirt = self.trashed(shop, SHOE.id), self.trashed(shop, SHIRT.id)
        assert shop.rows.count() == 1
        assert {entry.row.id for entry in shop.trash.entries()} == {SHIRT.id, SHOE.id}
        assert all(entry.at for entry in shop.trash.entries())
        assert shop.words.search("shirt", 3) == []
        new = replace(shirt, id="moved.jpg", path=tmp_path / "moved.jpg")
        with shop.transaction():
            made = shop.trash.computed(shirt)
            shop.trash.restore(shop.history.begin("back"), shirt, new, made)
        back = shop.rows.find(["moved.jpg"])["moved.jpg"]
        np.testing.assert_array_equal(
            shop.vectors.read("vectors", [back.number])[back.number], vectors(1)[0]
        )
        np.testing.assert_array_equal(
            shop.vectors.read("features", [back.number])[back.number], features(1)
        )
        np.testing.assert_array_equal(shop.vectors.read_texts(back.number), vectors(1, 1.125))
        assert shop.rows.picture(back.number) == b"jpeg"
        assert [entry.row for entry in shop.trash.entries()] == [shoe]
        with shop.transaction():
            assert shop.trash.empty([99]) == 0
            assert shop.trash.empty([shoe.number]) == 1
            assert shop.trash.empty() == 0

    def test_a_row_whose_encoder_has_gone(self, shop: Store) -> None:
        shirt = self.trashed(shop, SHIRT.id)
        with shop.transaction():
            new = shop.spaces.make(fingerprint(turn=1), {})
            shop.spaces.switch(shop.spaces.current(), new, keep_features=False)
            made = shop.trash.computed(shirt)
            assert (made.vector, made.feature, made.text_vectors) == (None, None, None)
            assert made.picture == b"jpeg"
            version = shop.history.begin("back")
            shop.trash.restore(version, shirt, shirt, computed(5, SHIRT, made.picture))
        back = shop.rows.find([SHIRT.id])[SHIRT.id].number
        np.testing.assert_array_equal(shop.vectors.read("vectors", [back])[back], vectors(5)[0])
        np.testing.assert_array_equal(shop.vectors.read_texts(back), vectors(5, 5.125))
        assert shop.rows.picture(back) == b"jpeg"

    def test_deleted_rows_are_kept_apart_from_the_trash(self, shop: Store) -> None:
        shirt = shop.rows.find([SHIRT.id])[SHIRT.id]
        with shop.transaction():
            shop.deleted.move(shop.history.begin("delete"), shirt)
        assert shop.rows.find([SHIRT.id]) == {}
        assert shop.trash.entries() == []
        assert [entry.row for entry in shop.deleted.entries()] == [shirt]
        made = shop.deleted.computed(shirt)
        with shop.transaction():
            shop.deleted.restore(shop.history.begin("revert"), shirt, shirt, made)
        back = shop.rows.find([SHIRT.id])[SHIRT.id].number
        assert shop.rows.picture(back) == b"jpeg"
        np.testing.assert_array_equal(shop.vectors.read("vectors", [back])[back], vectors(1)[0])
        assert shop.deleted.entries() == []

    # --- folders, quarantine, notes --------------------------------------------------------

    def test_watched_folders(self, store: Store, tmp_path: Path) -> None:
        a = WatchedFolder(tmp_path / "a", "", ("*.gif",), None)
        b = WatchedFolder(tmp_path.parent / "b", "b/", (), True)
        with store.transaction():
            store.folders.watch(replace(a, prefix="x"))
            store.folders.watch(b)
            store.folders.watch(a)
        assert sorted(store.folders.watched(), key=lambda f: f.prefix) == [a, b]
        with store.transaction():
            store.folders.unwatch(b.path)
            store.folders.unwatch(tmp_path / "unknown")
        assert store.folders.watched() == [a]
        stamps = {tmp_path / "a" / "1.jpg": (3, 10**18), tmp_path.parent / "b" / "2.jpg": RESTORED}
        with store.transaction():
            store.folders.remember({tmp_path / "a" / "1.jpg": (1, 1)})
            store.folders.remember(stamps)
        assert store.folders.stamps() == stamps
        with store.transaction():
            store.folders.forget([tmp_path / "a" / "1.jpg", tmp_path / "unknown"])
        assert store.folders.stamps() == {tmp_path.parent / "b" / "2.jpg": RESTORED}

    def test_quarantine(self, store: Store) -> None:
        with store.transaction():
            store.quarantine.put("one", [Rejected("a.jpg", "torn"), Rejected("b.jpg", "empty")])
            store.quarantine.put("two", [Rejected("a.jpg", "torn")])
            store.quarantine.put("one", [Rejected("b.jpg", "too large")])
        assert len(store.quarantine.entries()) == 3
        assert Rejected("b.jpg", "too large") in store.quarantine.entries("one")
        with store.transaction():
            store.quarantine.clear("one", "1999-01-01")
            assert len(store.quarantine.entries("one")) == 2
            store.quarantine.release("a.jpg")
            assert store.quarantine.entries("two") == []
            store.quarantine.clear("one", "2999-01-01")
        assert store.quarantine.entries() == []

    def test_a_clock_that_goes_back_keeps_the_quarantine(self, store: Store) -> None:
        """An earlier run had a clock that was ahead of this one."""
        with store.transaction():
            ahead = "2999-01-01T00:00:00.000+00:00"
            store.quarantine.put(
                "one", [Rejected("a.jpg", "torn"), Rejected("b.jpg", "torn")], ahead
            )
            store.quarantine.put("two", [Rejected("c.jpg", "torn")])
        began = store.quarantine.moment("one")
        assert began > ahead > store.quarantine.moment("two")
        with store.transaction():
            store.quarantine.put("one", [Rejected("b.jpg", "torn")], began)
            store.quarantine.clear("one", began)
        assert {each.place for each in store.quarantine.entries()} == {"b.jpg", "c.jpg"}

    def test_claims(self, shop: Store, tmp_path: Path) -> None:
        """What a source said of a row is kept beside that of others, and goes with the row."""
        shirt, shoe = (shop.rows.find([row.id])[row.id] for row in (SHIRT, SHOE))
        numbers = [shirt.number, shoe.number]
        inside, outside = str(shop.folder / "photos"), str(tmp_path.parent / "elsewhere")
        assert not shop.claims.of_source(inside, numbers)
        assert not shop.claims.sources(numbers)
        with shop.transaction():
            shop.claims.put(inside, {SHIRT.id: "a", SHOE.id: "b", "nobody": "c"})
            shop.claims.put(outside, {SHIRT.id: "d"})
        with shop.transaction():
            shop.claims.put(inside, {SHIRT.id: "e"})
        assert shop.claims.of_source(inside, numbers) == {shirt.number: "e", shoe.number: "b"}
        assert shop.claims.of_source(inside, [shoe.number]) == {shoe.number: "b"}
        assert shop.claims.sources(numbers) == {
            shirt.number: {inside, outside},
            shoe.number: {inside},
        }
        with shop.transaction():
            shop.claims.move(outside, "hf:shop")
            shop.rows.put(shop.history.begin("update"), replace(shoe, label="boot"))
        assert shop.claims.of_source("hf:shop", numbers) == {shirt.number: "d"}
        assert shop.claims.of_source(inside, numbers)[shoe.number] == "b"
        with shop.transaction():
            shop.rows.delete(shop.history.begin("delete"), shirt)
        assert shop.claims.sources(numbers) == {shoe.number: {inside}}

    def test_notes(self, store: Store) -> None:
        assert store.notes.get("x") is None
        hubs = KeptHubs("[1, 2, 3]", "abc", b"keys", b"\x00hubs")
        with store.transaction():
            store.notes.set("x", "1")
            store.notes.set("x", "红")
            write_strength(store, 0.75)
            store.notes.keep_hubs("vectors", hubs)
        assert store.notes.get("x") == "红"
        assert read_strength(store) == 0.75
        assert store.notes.hubs("vectors") == hubs
        assert store.notes.hubs("text_vectors") is None

    # --- moments ---------------------------------------------------------------------------

    def test_all_or_nothing(self, shop: Store) -> None:
        before = list(shop.rows.iterate()), shop.history.newest(), shop.history.newest_change()

        def fail() -> None:
            with shop.transaction():
                version = shop.history.begin("half")
                shop.rows.put(version, replace(NOTE, id="half"), computed(1, NOTE))
                shop.trash.move(version, shop.rows.find([SHIRT.id])[SHIRT.id])
                shop.folders.watch(WatchedFolder(shop.folder, ""))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        after = list(shop.rows.iterate()), shop.history.newest(), shop.history.newest_change()
        assert after == before
        assert not shop.trash.entries()
        assert not shop.folders.watched()
        put(shop, Row(0, "whole"))

    def test_a_transaction_sees_what_it_wrote(self, store: Store) -> None:
        with store.transaction():
            store.rows.put(store.history.begin("x"), SHIRT, computed(1, SHIRT))
            with store.snapshot():
                assert store.rows.count('label = "shirt"') == 1
            assert store.vectors.count("vectors") == 1

    def test_a_snapshot_is_one_moment(self, shop: Store, tmp_path: Path) -> None:
        def others() -> None:
            with closing(self.open(tmp_path)) as other:
                put(other, Row(0, "late"))

        with ThreadPoolExecutor(1) as pool, shop.snapshot():
            before = shop.spaces.state()
            pool.submit(others).result()
            with shop.snapshot():
                assert shop.rows.find(["late"]) == {}
            assert shop.spaces.state() == before
        assert shop.rows.find(["late"]).keys() == {"late"}
        assert shop.spaces.state().change == before.change + 1

    def test_threads_read_and_write(self, store: Store) -> None:
        def work(i: int) -> int:
            put(store, Row(0, f"row {i}"), Computed(vector=vectors(i)[0]))
            with store.snapshot():
                return len(store.rows.find([f"row {i}"]))

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(24))) == [1] * 24
        assert store.rows.count() == store.vectors.count("vectors") == 24

    # --- the whole -------------------------------------------------------------------------

    def test_counts(self, shop: Store) -> None:
        counts = shop.counts()
        assert counts.bytes > 0
        assert replace(counts, bytes=0) == replace(
            counts,
            bytes=0,
            rows=3,
            pictures=2,
            copied=1,
            texts=4,
            question_answers=1,
            labels={"shirt": 1, "shoe": 1},
            tags=2,
            columns=("brand", "price", "size", "sold"),
            without_text=0,
            without_label=0,
            without_vector=0,
            near_duplicates=0,
            quarantined=0,
        )

    def test_a_copy(self, shop: Store, tmp_path: Path) -> None:
        (tmp_path / "copy").mkdir()
        self.trashed(shop, SHOE.id)
        shop.copy_to(tmp_path / "copy" / shop.path.name)
        with closing(self.open(tmp_path / "copy")) as copy:
            assert [row.id for row in copy.rows.iterate()] == [SHIRT.id, "note"]
            assert copy.rows.picture(1) == b"jpeg"
            assert [entry.row.id for entry in copy.trash.entries()] == [SHOE.id]
            put(copy, Row(0, "of the copy"))
        assert shop.rows.count() == 2

    def test_it_is_removed_only_while_nothing_was_written(self, tmp_path: Path) -> None:
        """Another process that has it open is refused, and loses nothing."""
        for used in (False, True):
            folder = tmp_path / str(used)
            folder.mkdir()
            with closing(self.create(folder, fingerprint(), {})) as store:
                if used:
                    row = put(store, Row(0, "of another process"))
                    with store.transaction():
                        store.rows.delete(store.history.begin("delete"), row)
                with closing(self.open(folder)) as other:
                    assert other.rows.count() == 0
                    assert store.remove_if_unused() is not used
                    assert store.path.exists() is used
                    if not used:
                        with pytest.raises(MemoryFileError):
                            put(other, Row(0, "too late"))
