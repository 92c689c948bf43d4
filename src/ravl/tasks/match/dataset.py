"""The data that every level of a match predictor stands on: pairs, evidence, and what may be seen.

The datastore leaves out all rows that show a held-out picture. A training pair sees neither
the rows that show its picture, nor those that say its text, nor their near-duplicates; and of the
wrong texts that are set against it, it does not see the rows either, which would give them away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ravl.encoders.base import Array, Encoder
from ravl.errors import DataError
from ravl.memory import Memory, Row
from ravl.models.linear import Standardizer
from ravl.retrieval.datastore import Datastore, Ints, Neighbours
from ravl.retrieval.key_projection import KeyProjection
from ravl.runs.row_texts import RowTexts, TextTargets, base_of
from ravl.tasks.match.pair_features import PairFeatures, look_up
from ravl.tasks.match.predictor import QueryPairs
from ravl.training.dual_encoder.example_pairs import example_pairs, read_texts
from ravl.training.dual_encoder.pairs import Pairs, pairs_of
from ravl.training.evidence_bank import DEEPEST, evidence
from ravl.training.examples import Examples
from ravl.training.fit_settings import FitSettings
from ravl.training.splits import Splits

MOST = 4000  # pairs of a held-out split, half of them shuffled
TRUTH, FALSE = "match", ("0", "0.0", "false", "no")  # a column, and what it may not say
TRIES = 50  # draws of a text that does not belong to a picture


@dataclass(frozen=True, eq=False)
class HeldPairs:
    """Pairs of a held-out split: true ones, and as many of the same pictures and texts, shuffled.

    Args:
        asked: n pairs.
        targets: 1 for a true pair, else 0, (n,).
        rows: of the pictures, n of them.
        groups: equal for near-duplicates, (n,).
        clues: what the datastore knows of them.
    """

    asked: QueryPairs
    targets: Ints
    rows: list[Row]
    groups: Ints
    clues: PairFeatures

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, chosen: Ints) -> HeldPairs:
        """Some of the pairs."""
        return HeldPairs(
            self.asked.take(chosen),
            self.targets[chosen],
            [self.rows[i] for i in chosen.tolist()],
            self.groups[chosen],
            self.clues.take(chosen),
        )


@dataclass(frozen=True, eq=False)
class MatchFitData:
    """All that fitting and judging a match predictor needs.

    Args:
        memory: whose rows are evidence.
        task: where texts are.
        settings: of the fit.
        base: the pretrained encoder.
        examples: all pictures with texts, m.
        pairs: of them with their texts.
        vectors: of the pairs' texts by the base encoder, (t, D).
        splits: positions of pictures.
        row_texts: texts of the datastore's rows, without those that are held out.
        keys: by which pictures are compared.
        standard: of the training pictures' features.
        neighbours: of each training picture, without rows that show it, in the order of
            ``splits.train``.
        text_owners: of each text the groups of the memory whose rows have it, or show its
            picture.
        validation, test: the held-out pairs.
    """

    memory: Memory
    task: TextTargets
    settings: FitSettings
    base: Encoder
    examples: Examples
    pairs: Pairs
    vectors: Array
    splits: Splits
    row_texts: RowTexts
    keys: KeyProjection
    standard: Standardizer
    neighbours: Neighbours
    text_owners: list[Ints]
    validation: HeldPairs
    test: HeldPairs

    @property
    def datastore(self) -> Datastore:
        """The rows that may be evidence."""
        return self.row_texts.datastore


def prepare(
    memory: Memory, task: TextTargets, settings: FitSettings, examples: Examples, splits: Splits
) -> MatchFitData:
    """Make ready what is fitted on.

    Raises:
        DataError: too few different texts in a split, or no evidence.
    """
    base = base_of(memory.encoder)
    pairs, vectors = read_texts(task, base, examples)
    datastore, keys = evidence(
        memory, [examples.take(splits.validation), examples.take(splits.test)]
    )
    row_texts = RowTexts.of(datastore, task, memory)
    if not len(row_texts.texts):
        raise DataError(
            f"No picture in {memory.path} that is not held out has a text, so there is no "
            "evidence. Index captions, or let the training pictures be remembered."
        )
    everything = QueryPairs(
        examples.features,
        base.project(examples.features),
        pairs.texts,
        vectors,
        pairs.owners,
        pairs.which,
    )

    def held(name: str) -> HeldPairs:
        chosen = getattr(splits, name)
        picture, text, targets = sample_pairs(pairs, chosen, settings.seed, name)
        asked = replace(everything, picture=picture, text=text).take(np.arange(len(picture)))
        own = keys(asked.features)
        neighbours = datastore.neighbours(own, min(DEEPEST, len(datastore))).take(asked.picture)
        clues = look_up(asked.vectors, own, asked.picture, asked.text, row_texts, neighbours)
        rows = [examples.rows[i] for i in picture.tolist()]
        return HeldPairs(asked, targets, rows, examples.groups[picture], clues)

    train = examples.take(splits.train)
    neighbours = datastore.neighbours(
        keys(train.features), min(DEEPEST, len(datastore)), train.shown
    )
    return MatchFitData(
        memory,
        task,
        settings,
        base,
        examples,
        pairs,
        vectors,
        splits,
        row_texts,
        keys,
        Standardizer.of(train.features),
        neighbours,
        _sayers(pairs, examples, row_texts),
        held("validation"),
        held("test"),
    )


def sample_pairs(pairs: Pairs, pictures: Ints, seed: int, name: str) -> tuple[Ints, Ints, Ints]:
    """Half true and half shuffled pairs of a held-out split; the same for the same seed.

    Each picture and each text is in as many false pairs as true ones, so that neither alone tells
    anything. A picture never gets a text of its own or of a near-duplicate.

    Args:
        pairs: of all splits.
        pictures: positions of the split's.
        seed: of the draw.
        name: of the split, for the error.

    Returns:
        Picture, text and target of each pair, (n,) each.

    Raises:
        DataError: all pictures of the split have the same texts.
    """
    random = np.random.default_rng([seed, len(name)])
    true = pairs_of(pairs, pictures)
    if len(true) > MOST // 2:
        true = np.sort(random.choice(true, MOST // 2, replace=False))
    picture, text = pairs.owners[true], pairs.which[true]
    own: dict[int, set[int]] = {}
    for group, one in zip(pairs.groups[pairs.owners].tolist(), pairs.which.tolist(), strict=True):
        own.setdefault(group, set()).add(one)
    other = random.permutation(text)
    for i, group in enumerate(pairs.groups[picture].tolist()):
        for _ in range(TRIES):
            if int(other[i]) not in own[group]:
                break
            swap = int(random.integers(len(other)))  # exchanged, so that each text stays as often
            theirs = own[int(pairs.groups[picture[swap]])]
            if int(other[i]) not in theirs and int(other[swap]) not in own[group]:
                other[i], other[swap] = other[swap], other[i]
    false = np.array(
        [int(t) not in own[g] for t, g in zip(other, pairs.groups[picture].tolist(), strict=True)]
    )
    if not false.any():
        raise DataError(
            f"All {len(pictures):,} pictures of the {name} split have the same texts, so that no "
            "pair is false. Hold out more pictures, with other texts."
        )
    return (
        np.concatenate([picture, picture[false]]),
        np.concatenate([text, other[false]]),
        np.repeat([1, 0], [len(picture), int(false.sum())]),
    )


def hide(neighbours: Neighbours, datastore: Datastore, hidden: list[Ints]) -> Neighbours:
    """Neighbours (n, K) without those of some groups; the others move up."""
    positions = np.full_like(neighbours.positions, -1)
    similarity = np.zeros_like(neighbours.similarity)
    for i, groups in enumerate(hidden):
        line = neighbours.positions[i]
        kept = (line >= 0) & ~np.isin(datastore.groups[line], groups)
        count = int(kept.sum())
        positions[i, :count], similarity[i, :count] = line[kept], neighbours.similarity[i, kept]
    return Neighbours(positions, similarity)


def _sayers(pairs: Pairs, examples: Examples, row_texts: RowTexts) -> list[Ints]:
    """For each text the groups of the memory that would give it away."""
    groups: list[set[int]] = [set() for _ in pairs.texts]
    places = {text: i for i, text in enumerate(pairs.texts)}
    for text, owner in zip(row_texts.texts, row_texts.owners.tolist(), strict=True):
        if text in places:
            groups[places[text]].add(int(row_texts.datastore.groups[owner]))
    for picture, one in zip(pairs.owners.tolist(), pairs.which.tolist(), strict=True):
        groups[one].update(examples.shown[picture].tolist())
    return [np.array(sorted(some), np.int64) for some in groups]


def check(task: TextTargets, base: Encoder, examples: Examples, splits: Splits) -> None:
    """Refuse what cannot be fitted.

    Raises:
        DataError: the training pictures all have one text, or a held-out split has no false pair.
    """
    pairs = example_pairs(task, base, examples)
    texts = np.unique(pairs.which[pairs_of(pairs, splits.train)])
    if len(texts) < 2:
        raise DataError(
            f"All {len(splits.train):,} training pictures have one text, "
            f"{pairs.texts[int(texts[0])]!r}. There is nothing to tell apart: give texts that "
            "differ."
        )
    for name in ("validation", "test"):
        sample_pairs(pairs, getattr(splits, name), 0, name)


def refuse_false(source: Memory) -> None:
    """Tables of true and false pairs cannot be separated once rows of a picture are one.

    Raises:
        DataError: the column ``match`` of a table says that some text does not fit.
    """
    false = sum(str(row.columns.get(TRUTH)).lower() in FALSE for row in source.rows())
    if false:
        raise DataError(
            f"The column {TRUTH!r} says of {false:,} rows that their text does not fit. Leave "
            "these rows out: false pairs are made by shuffling the texts of the true ones. If the "
            "column means something else, give it another name."
        )
