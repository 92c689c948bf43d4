"""Questions of `memory_pays`: DAQUAR's indoor photographs, a fifth of which judges.

*All*: the other photographs are in the fit and in the memory. *Half*: half of them is in the fit;
the memory has the same half, and then all of them, without another fit.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled import memory_of
from benchmarks.report import Lines, with_interval
from ravl.encoders.base import Array
from ravl.memory import Memory
from ravl.models.linear import fold_of_groups
from ravl.tasks.ask.model import AskPipeline
from ravl.tasks.ask.targets import AnswerTargets, ask_task
from ravl.tasks.fit import fit
from ravl.tasks.labels.predictor import Queries
from ravl.tasks.model import load

PARTS = 5  # one of them judges
FIRST = "half of the pictures in the fit"
Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class Asked:
    """Answered questions.

    Args:
        task: that made the features.
        questions: n of them.
        answers: one each, (n,).
        features: of pictures and questions, (n, F).
        groups: of the pictures, (n,).
    """

    task: AnswerTargets
    questions: list[str]
    answers: NDArray[np.str_]
    features: Array
    groups: NDArray[np.int64]

    @classmethod
    def of(cls, memory: Memory) -> Asked:
        """All of a memory."""
        task = ask_task(memory)
        found = task.datastore(memory)
        questions = [task.question(row) or "" for row in found.rows]
        answers = np.array([row.label for row in found.rows])
        return cls(task, questions, answers, found.features, found.groups)

    def hits(self, pipeline: AskPipeline, **how: Any) -> Hits:
        """Which questions a pipeline answers rightly, (n,)."""
        queries = Queries(self.features, texts=self.questions)
        found = pipeline.judge(queries, [np.zeros(0, np.int64)] * len(self.answers), **how)
        said: Hits = np.array(found.names)[found.probabilities.argmax(1)] == self.answers
        return said

    def plain(self, judged: Asked) -> dict[str, Hits]:
        """The same of methods that learn from these questions and know nothing of ravl."""
        from scipy.sparse import hstack
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        usual = Counter(self.answers.tolist()).most_common(1)[0][0]
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        blocks = [(words.fit_transform(self.questions), words.transform(judged.questions))]
        width = self.task.width
        for of in (lambda x: x[:, :width], self.task.vectors_of):
            scaler = StandardScaler().fit(of(self.features))
            scaled = (scaler.transform(of(x.features)) for x in (self, judged))
            blocks.append(tuple(x / np.sqrt(x.shape[1]) for x in scaled))
        learned, asked = (hstack(side).tocsr() for side in zip(*blocks, strict=True))
        model = LogisticRegression(C=5, max_iter=50).fit(learned, self.answers)
        return {
            "logistic regression": model.predict(asked) == judged.answers,
            "most frequent answer": judged.answers == usual,
        }


def questions(folder: Path) -> Lines:
    """All lines."""
    with memory_of("daquar", folder) as memory:
        every = Asked.of(memory)
        held = _pictures(every, fold_of_groups(every.groups, PARTS, seed=0)[0])
        ids = {row.id: row.group for row in memory.rows()}
    outside = np.flatnonzero(~np.isin(every.groups, held))
    rest = [id for id, group in ids.items() if group not in held]
    half = set(np.random.default_rng(0).permutation(rest)[: len(rest) // 2].tolist())
    judged = _take(every, np.flatnonzero(np.isin(every.groups, held)))
    first = np.isin(every.groups, [ids[id] for id in half])
    gone = [id for id, group in ids.items() if group in held]
    later = [id for id in rest if id not in half]
    lines = _case(folder, "all", judged, gone, {"all": gone}, _take(every, outside))
    memories = {FIRST: [*gone, *later], f"{FIRST}, all in the memory": gone}
    learned = _take(every, np.flatnonzero(first & ~np.isin(every.groups, held)))
    return [*lines, *_case(folder, FIRST, judged, [*gone, *later], memories, learned)]


def _case(
    folder: Path,
    name: str,
    judged: Asked,
    without: list[str],
    memories: dict[str, list[str]],
    learned: Asked,
) -> Lines:
    """A fit without some rows, and its answers from memories without these rows or those."""
    work = folder / "questions"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    with Memory.open(shutil.copy(folder / "daquar.ravl", work / "fitted.ravl")) as memory:
        memory.delete(without)
        fit("ask", memory, out=work / "run", model="linear", progress=False)
    lines: Lines = []
    for case, missing in memories.items():
        with Memory.open(shutil.copy(folder / "daquar.ravl", work / "asked.ravl")) as memory:
            memory.delete(missing)
            pipeline = load(work / "run", memory).predictor
            hits = {
                "no retrieval": judged.hits(pipeline, retrieval=False),
                "the memory alone": judged.hits(pipeline, vote_only=True),
                "with retrieval": judged.hits(pipeline),
                "nothing fitted": judged.hits(AskPipeline(memory)),
            }
        if case == name:
            hits |= learned.plain(judged)
        gain = hits["with retrieval"].astype(float) - hits["no retrieval"]
        found = {**{answer: its.astype(float) for answer, its in hits.items()}, "gain": gain}
        lines += [
            {"set": "daquar", "case": case, "answer": n, "accuracy, %": with_interval(v.tolist())}
            for n, v in found.items()
        ]
    return lines


def _pictures(every: Asked, some: NDArray[np.int64]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.unique(every.groups[some])
    return found


def _take(every: Asked, some: NDArray[np.int64]) -> Asked:
    texts = [every.questions[i] for i in some.tolist()]
    return Asked(every.task, texts, every.answers[some], every.features[some], every.groups[some])
