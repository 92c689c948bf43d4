"""Fitting open answers: what a fit of captions does not do by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ravl.encoders.base import Array
from ravl.memory import Row
from ravl.models.zero_shot import label_vectors, zero_shot
from ravl.retrieval.datastore import Ints
from ravl.runs.row_texts import base_of
from ravl.tasks.ask.answers import normal
from ravl.tasks.ask.entries import question_of
from ravl.tasks.ask.keys import WEIGHTS
from ravl.tasks.ask.knowledge import Knowledge
from ravl.tasks.ask.open_targets import OpenAnswerTargets
from ravl.tasks.ask.quality import answer_quality, good_answer
from ravl.tasks.caption.dataset import TextFitData, TextSplit
from ravl.tasks.caption.writing_task import WritingTask

TRIED = 2000  # questions that the weight of a question is chosen on
FLOOR = 0.01  # of the vote, for an answer that no row gives
KNOWN = 2000  # different answers that the zero-shot row chooses among, the most frequent


def ready(data: TextFitData) -> TextFitData:
    """The data searched with the best weight of questions, and with what texts know."""
    data = weighed(data)
    hidden = [side.examples.seen_groups() for side in (data.validation, data.test)]
    knowledge = Knowledge.of(data.memory, data.keys.pictures, np.concatenate(hidden))
    if knowledge is None:
        return data

    def known(side: TextSplit) -> TextSplit:
        asked = [question_of(row) for row in side.examples.rows]
        pictures = side.examples.features[:, : data.keys.width]
        cited = knowledge.find(asked, pictures, side.examples.shown)
        return replace(side, passages=knowledge.texts_of(cited))

    return _each(data, known)


def weighed(data: TextFitData) -> TextFitData:
    """The data with the weight of questions under which the vote finds answers likeliest.

    Training and validation questions are answered, each without its picture.
    """
    random = np.random.default_rng(data.settings.seed)
    some = random.permutation(len(data.train))[:TRIED]
    held = [data.train.take(np.sort(some)), data.validation]
    best, most = data, -np.inf
    for weight in WEIGHTS:
        tried = _searched(data, weight)
        found = np.mean([_likelihood(tried, _seen(tried, side)) for side in held])
        if found > most + 1e-4:
            best, most = tried, float(found)
    return _each(best, lambda side: _seen(best, side))


def _searched(data: TextFitData, weight: float) -> TextFitData:
    keys = replace(data.keys, weight=weight)
    datastore = replace(data.datastore, keys=keys(data.datastore.features))
    row_texts = replace(data.index.row_texts, datastore=datastore)
    return replace(data, keys=keys, index=replace(data.index, row_texts=row_texts))


def _seen(data: TextFitData, side: TextSplit) -> TextSplit:
    """A part with its neighbours in data."""
    depth = side.neighbours.positions.shape[1]
    looked = data.keys(side.examples.features)
    neighbours = data.datastore.neighbours(
        looked, depth, side.examples.shown, data.index.row_texts.has
    )
    return replace(side, neighbours=neighbours)


def _likelihood(data: TextFitData, side: TextSplit) -> float:
    """Mean logarithm of the share of the vote that the best answers get."""
    numbers: dict[str, int] = {}

    def names(rows: Sequence[Row]) -> Ints:
        own = [normal(data.task.of(row)[0]) for row in rows]
        return np.array([numbers.setdefault(name, len(numbers)) for name in own], np.int64)

    theirs, own = names(data.datastore.rows), names(side.examples.rows)
    neighbours = side.neighbours.first(data.vote.k)
    same = (theirs[neighbours.positions] == own[:, None]) & neighbours.found
    shares: Array = (data.vote.shares(neighbours) * same).sum(1)
    return float(np.log(np.maximum(shares, FLOOR)).mean())


def blind(data: TextFitData) -> TextFitData:
    """The data with a blank picture in place of each: the mean of the training pictures."""
    assert isinstance(data.task, OpenAnswerTargets)
    width, standard = data.task.width, data.standard
    mean = standard.mean[:width]
    power = np.broadcast_to(np.float32(standard.power), standard.mean.shape)[:width]
    blank = np.sign(mean) * np.abs(mean) ** (1 / power)

    def unseen(side: TextSplit) -> TextSplit:
        features = side.examples.features.copy()
        features[:, :width] = blank
        regions = None if side.regions is None else np.zeros_like(side.regions)
        examples = replace(side.examples, features=features)
        return replace(side, examples=examples, regions=regions, blind=True)

    return _each(data, unseen)


def likely_answers(data: TextFitData) -> list[str]:
    """The pretrained encoder, which knows the known answers and nothing else.

    An answer is as likely as it is like the picture and like the question, by the sum of the two
    cosines.
    """
    counts: dict[str, int] = {}
    for its in data.train.texts:
        for answer in its:
            counts[answer] = counts.get(answer, 0) + 1
    names = sorted(counts, key=lambda name: (-counts[name], name))[:KNOWN]
    assert isinstance(data.task, OpenAnswerTargets)
    width, encoder = data.task.width, base_of(data.memory.encoder)
    features = data.test.examples.features
    both = encoder.project(features[:, :width]) + features[:, width:]
    found = zero_shot(both, label_vectors(encoder, names), exclusive=True).argmax(1)
    return [names[i] for i in found.tolist()]


def _each(data: TextFitData, change: Callable[[TextSplit], TextSplit]) -> TextFitData:
    return replace(
        data,
        train=change(data.train),
        validation=change(data.validation),
        test=change(data.test),
    )


OPEN = WritingTask(
    lambda memory, _: OpenAnswerTargets(width=memory.encoder.feature_dimension),
    about="an answer to a question about a picture, written by a generator",
    zero_shot=likely_answers,
    quality=answer_quality,
    good=good_answer,
    ready=ready,
    blind=blind,
    fits=False,
    measure="accuracy",
    score=lambda rated, least: float((rated >= least).mean()),
    titles={
        "zero_shot": ("zero-shot", "pretrained: known answers that are like picture and question"),
        "vote": ("neighbour vote", "answered questions of the memory alone, nothing trained"),
        "nearest": ("nearest neighbour's answer", "its first"),
        "no_retrieval": ("fine-tuned, no retrieval", "a generator that reads no neighbours"),
        "generator_off alone": ("generator, trained without", "sees picture and question alone"),
        "generator_off": ("generator without + memory", "chosen among its and the memory's"),
        "generator": ("generator + memory", "reads the neighbours; chosen among all answers"),
    },
    groups=(("Right", "answers that somebody gave"), ("Wrong", "the others")),
)
