"""The split of labelled pictures into training, validation and test, without leakage."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ravl.errors import DataError
from ravl.memory import Memory, Row
from ravl.retrieval.datastore import Ints

SPLIT_NAMES = ("train", "validation", "test")
COLUMN = "split"  # of a table, that says where its rows belong
NAMES = {
    "train": 0,
    "training": 0,
    "val": 1,
    "valid": 1,
    "validation": 1,
    "dev": 1,
    "test": 2,
    "testing": 2,
}
LEFT_OUT = -1


@dataclass(frozen=True, eq=False)
class Splits:
    """Positions among the labelled pictures.

    Args:
        train, validation, test: ascending.
        left_out: near-duplicates of held-out pictures, which would have been trained on.
        how: the split came about, in words.
        named_validation: the user, or a column of the table, named the validation split; it was not
            drawn.
    """

    train: Ints
    validation: Ints
    test: Ints
    left_out: Ints
    how: str
    named_validation: bool = False


def split(
    rows: Sequence[Row],
    groups: Ints,
    classes: Sequence[str],
    source: Memory,
    *,
    validation: str | None,
    test: str | None,
    validation_share: float,
    test_share: float,
    seed: int,
    tables: Collection[str] = (),
) -> Splits:
    """The splits: as the user named them, else as the table's column ``split`` says, else drawn.

    What is drawn is stratified by class, and near-duplicates stay on one side. A picture that was
    to be trained on and is a near-duplicate of a held-out one is left out.

    Args:
        rows: n labelled ones.
        groups: equal for near-duplicates, (n,).
        classes: of each row, for the strata; any one name for all where there are none.
        source: the memory that the rows are from.
        validation, test: filters that name these splits, or None.
        validation_share, test_share: of the pictures, and of those that are not for testing, where
            the splits have to be drawn.
        seed: of the draw.
        tables: splits that came as tables of their own; ids of their rows begin with their names.

    Raises:
        DataError: a split would be empty, or the column has a word that is not a split's name.
    """
    split_of = np.zeros(len(rows), np.int64)
    fixed = {1: False, 2: False}
    words = []
    for number, name, where in ((1, "validation", validation), (2, "test", test)):
        if where is not None:
            named = {row.number for row in source.rows(where)}
            chosen = np.array([row.number in named for row in rows], bool)
            words.append(f"{name}: {where}")
        elif name in tables:
            chosen = np.array([row.id.startswith(f"{name}/") for row in rows], bool)
            words.append(f"{name}: a table of its own")
        else:
            continue
        split_of[chosen] = number
        fixed[number] = True
        if not chosen.any():
            raise DataError(f"{where or name!r} names no labelled picture for {name}.")
    if not all(fixed.values()):
        split_of_row, blank = split_column(rows)
        for number in (1, 2):
            chosen = (split_of_row == number) & (split_of == 0)
            if not fixed[number] and chosen.any():
                split_of[chosen] = number
                fixed[number] = True
                words.append(f"{SPLIT_NAMES[number]}: as the column {COLUMN!r} says")
        if blank and any("column" in word for word in words):
            words.append(f"{blank:,} without a word in this column: for training")
    for number, name, share, of in (
        (2, "test", test_share, "pictures"),
        (1, "validation", validation_share, "others"),
    ):
        if not fixed[number]:
            split_of[draw(split_of, groups, classes, share, seed + number)] = number
            words.append(f"{name}: {share:g} of the {of}, drawn")
    leaking = (split_of == 0) & np.isin(groups, groups[split_of > 0])
    leaking |= (split_of == 1) & np.isin(groups, groups[split_of == 2])
    split_of[leaking] = LEFT_OUT
    train, held, judged, out = (np.flatnonzero(split_of == n) for n in (0, 1, 2, LEFT_OUT))
    for name, chosen in (("training", train), ("validation", held), ("test", judged)):
        if not len(chosen):
            raise DataError(
                f"No one of {len(rows):,} labelled pictures is left for {name}. Label more, or "
                "give this split another share or filter."
            )
    return Splits(train, held, judged, out, "; ".join(words), fixed[1])


def split_column(rows: Sequence[Row]) -> tuple[Ints, int]:
    """What the column ``split`` says of each row, (n,), and how many rows have no word in it.

    A row without a word is for training. A column that names neither validation nor test is about
    something else, and all rows are for training.

    Raises:
        DataError: it names validation or test, and also has words that are not names of splits.
    """
    words = [str(row.columns.get(COLUMN, "") or "").strip().lower() for row in rows]
    split_of_row = np.array([NAMES.get(word, 0) for word in words], np.int64)
    if not split_of_row.any():
        return split_of_row, 0
    unknown = [i for i, word in enumerate(words) if word and word not in NAMES]
    if unknown:
        row = rows[unknown[0]]
        raise DataError(
            f"The column {COLUMN!r} has the word {row.columns[COLUMN]!r} in the row {row.id!r}"
            + (f" (and {len(unknown) - 1:,} more such rows)" if len(unknown) > 1 else "")
            + f", beside words for test or validation. Allowed are {', '.join(NAMES)}, or nothing. "
            "Correct the word, or name the splits by filters."
        )
    return split_of_row, words.count("")


def draw(split_of: Ints, groups: Ints, classes: Sequence[str], share: float, seed: int) -> Ints:
    """Whole groups of training pictures, about this share of each class, and one at least in all.

    A class keeps at least one group for training.

    Args:
        split_of: number of each picture's split, (n,); 0 for those that are drawn from.
        groups, classes, share, seed: see :func:`split`.
    """
    random = np.random.default_rng(seed)
    free = np.flatnonzero(split_of == 0)
    by_class: dict[str, dict[int, list[int]]] = {}
    for i in free.tolist():  # a group is of the class of its first member
        by_class.setdefault(classes[i], {}).setdefault(int(groups[i]), []).append(i)
    chosen: list[int] = []
    spare: list[tuple[float, list[int]]] = []  # what rounding has left, for small classes
    for name in sorted(by_class):
        members = list(by_class[name].values())
        order = random.permutation(len(members))
        exact = share * len(members)
        count = min(int(exact), len(members) - 1)
        chosen += [i for g in order[:count] for i in members[g]]
        if count < len(members) - 1:
            spare.append((exact - count, members[order[count]]))
    wanted = max(1, round(share * len(free))) if share else 0
    spare.sort(key=lambda item: -item[0])
    for _, group in spare:
        if len(chosen) >= wanted:
            break
        chosen += group
    return np.array(sorted(chosen), np.int64)
