"""A fitted run at work: pictures in, labels or tags with their evidence out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from PIL import Image

from ravl.encoders.base import Array
from ravl.errors import QueryError
from ravl.memory import Memory, Picture
from ravl.retrieval.datastore import Ints, Neighbours, nothing_seen
from ravl.retrieval.live import Followed, Source, View
from ravl.retrieval.query import open_pictures
from ravl.runs.answers import Answer, Classification, Tagging
from ravl.runs.evidence_arrays import MadeEvidence
from ravl.runs.networks import PictureTower
from ravl.runs.run import VISION, Run
from ravl.runs.tuned_features import TunedView, name_of_tower
from ravl.tasks.labels.live import LabelSource, LiveLabels, evidence_source
from ravl.tasks.labels.predictor import Answers, LabelPredictor, Queries
from ravl.tasks.labels.renewal import fitted_and_renewed
from ravl.tasks.labels.targets import LabelTargets
from ravl.tasks.labels.untrained import memory_predictor
from ravl.tasks.options import JudgeOptions
from ravl.timing import step

if TYPE_CHECKING:
    from ravl.tasks.neighbour_reranker import NeighbourReranker


@dataclass(frozen=True, eq=False)
class Testimony:
    """What the memory says at one moment, and who answers by it.

    Args:
        predictor: who answers.
        labels: of the memory's rows.
        evidence: what the predictor's reader reads; None without a reader.
    """

    predictor: LabelPredictor
    labels: LiveLabels
    evidence: MadeEvidence | None


class LabelPipeline:
    """Answers classify or tag from a run and its memory.

    The memory is followed: a row that is added, changed or deleted counts from the next call on.

    Args:
        run: what was fitted; None for a memory alone.
        memory: to answer from; checked by :func:`ravl.runs.run.open_memory`.
        followed: who answers at each moment; None for the predictor of the run.

    Raises:
        DataError: the match run by which it looks at neighbours again has gone.
    """

    def __init__(
        self, run: Run | None, memory: Memory, followed: Followed[LabelPredictor] | None = None
    ) -> None:
        self.run = run
        self.memory = memory
        self._lock = threading.Lock()
        self._alone: Followed[LabelPredictor] | None = None
        if followed is not None:
            predictor = followed.at(_view_of(memory))
        else:
            assert run is not None
            predictor, followed = fitted_and_renewed(run, memory, self._untrained_at)
        self._followed = followed
        self.label_predictor = predictor
        self.second = None if run is None else _reranker(run, memory)
        # Whether there is a fine-tuned tower is asked once: a refit may exchange the run's files.
        self.has_tower = run is not None and (run.folder / VISION).is_dir()
        self._tower: PictureTower | None = None
        self._rows = predictor.task.source(memory)
        if run is not None and predictor.tuned_keys:
            self._rows = self._tuned_source(run)
        self._labels = LabelSource.of(predictor, memory)
        self._read = evidence_source(predictor, memory)
        self._known: tuple[View, Testimony] | None = None

    @property
    def labels(self) -> list[str]:
        """All labels it may answer: those it was fitted to, and others that its memory knows."""
        return self._testimony().labels.names

    def predict(
        self,
        pictures: Sequence[Picture | str],
        beside: Sequence[str] | None = None,  # noqa: ARG002 (nothing comes with the picture)
        *,
        k: int | None = None,
        retrieval: bool = True,
        vote_only: bool = False,
        abstain: float | None = None,
    ) -> list[Classification] | list[Tagging]:
        """Answers to some pictures, in one pass.

        Args:
            pictures: paths, bytes or PIL pictures.
            beside: None; labels are given to pictures alone.
            k: neighbours that vote; None for as many as were fitted.
            retrieval: False for the model alone.
            vote_only: True for the neighbours alone.
            abstain: the share of wrong answers that is acceptable, such as 0.05; answers that are
                less sure than that are marked.

        Raises:
            QueryError: k is below 1, or model and memory are both switched off.
            PictureError: a picture cannot be read.
        """
        if k is not None and k < 1:
            raise QueryError(f"k is {k}; it must be at least 1.")
        if vote_only and not retrieval:
            raise QueryError("Without retrieval there is no vote. Leave one of the two out.")
        if not pictures:
            return []
        queries = self.look(pictures)
        found, said = self._answers(queries, k, retrieval, vote_only)
        return self._results(found, said, abstain)

    def results(self, queries: Queries, hidden: Sequence[Ints] | None = None) -> Sequence[Answer]:
        """Answers as :meth:`predict` gives them to pictures that were looked at before.

        Args:
            queries: n of them.
            hidden: for each the groups of rows that show the same picture; None for none.
        """
        found, said = self._answers(queries, None, True, False, hidden)
        return self._results(found, said, None)

    @step("encode")
    def look(self, pictures: Sequence[Picture | str]) -> Queries:
        """Features of pictures, by the memory's tower and by the run's own."""
        encoder = self.memory.encoder_for("pictures")
        opened = open_pictures(pictures, encoder.picture_size)
        prepared = [encoder.prepare(p) for p in opened]
        size = encoder.batch_size
        parts = [encoder.features(prepared[i : i + size]) for i in range(0, len(prepared), size)]
        return Queries(np.concatenate(parts), self.tuned(opened))

    def tuned(self, pictures: Sequence[Image.Image]) -> Array | None:
        """Features (n, F) of RGB pictures by the run's own tower; None where it has none."""
        if not self.has_tower:
            return None
        tower = self._opened_tower()
        return tower.features([tower.prepare(p) for p in pictures])

    def _opened_tower(self) -> PictureTower:
        if self._tower is None:
            assert self.run is not None
            folder = self.run.folder / VISION
            self._tower = self.run.networks.tower(folder, self.memory.encoder)
        return self._tower

    def _tuned_source(self, run: Run) -> Source:
        """The memory's rows as the run's tower sees them, shared by all that have this tower."""
        live, inner = self.memory.live, self._rows.derived
        name = name_of_tower(run.folder / VISION)
        key = ("tuned", name, inner is not None)
        view = live.shared(key, lambda: TunedView(self.memory, self._opened_tower, name, inner))
        return Source(live, view)

    def judge(
        self, queries: Queries, hidden: Sequence[Ints], **how: Unpack[JudgeOptions]
    ) -> Answers:
        """Answers that do not see some groups of rows: what evaluation asks for.

        Args:
            queries: n of them.
            hidden: for each the groups of rows that show the same picture.
            **how: ``k``, ``retrieval``, ``vote_only`` of :meth:`predict`.
        """
        return self._answers(
            queries, how.get("k"), how.get("retrieval", True), how.get("vote_only", False), hidden
        )[0]

    def _answers(
        self,
        queries: Queries,
        k: int | None,
        retrieval: bool,
        vote_only: bool,
        hidden: Sequence[Ints] | None = None,
    ) -> tuple[Answers, Testimony | None]:
        if not retrieval:
            return self.label_predictor.without(queries), None
        said = self._testimony()
        neighbours = self._neighbours(queries, said, k, hidden)
        answers = said.predictor.answer(
            queries, said.labels, neighbours, said.evidence, vote_only=vote_only, k=k, hidden=hidden
        )
        return answers, said

    def _neighbours(
        self,
        queries: Queries,
        said: Testimony,
        k: int | None,
        hidden: Sequence[Ints] | None,
    ) -> Neighbours:
        """Neighbours as they vote: reranked, if the run does so."""
        if self.second is None:
            return said.predictor.neighbours(queries, said.labels, k, hidden)
        deep = max(self.second.depth, k or said.predictor.vote.k)
        neighbours = said.predictor.neighbours(queries, said.labels, deep, hidden)
        # A view with generated labels has the rows of the memory's, in the same places.
        row_texts, _ = self.second.model.row_texts_at(said.labels.datastore.view)
        return self.second(queries.features, row_texts, neighbours, hidden)

    def _testimony(self) -> Testimony:
        """The present memory."""
        with self.memory.snapshot(), self._lock:
            view = self._rows.view()
            if self._known is None or self._known[0] is not view:
                if not len(view):
                    raise nothing_seen(self.memory)
                self._follow(view)
                labels = self._labels.at(view)
                evidence = self._read.at(labels) if self._read is not None else None
                self._known = view, Testimony(self.label_predictor, labels, evidence)
            return self._known[1]

    def _untrained_at(self, view: View) -> LabelPredictor:
        """The predictor that the memory has without a run."""
        if self._alone is None:  # held here: the memory forgets what nobody holds
            self._alone = memory_predictor(self.memory, self.label_predictor.task)
        return self._alone.at(view)

    def _follow(self, view: View) -> None:
        """The predictor by which the memory answers now."""
        predictor = self.label_predictor if self._followed is None else self._followed.at(view)
        if predictor is not self.label_predictor:
            self.label_predictor = predictor
            self._labels = LabelSource.of(predictor, self.memory)

    def _results(
        self, found: Answers, said: Testimony | None, abstain: float | None
    ) -> list[Classification] | list[Tagging]:
        predictor = self.label_predictor if said is None else said.predictor
        calibration = predictor.calibration
        risk = 0.0
        if abstain is not None and calibration is not None:
            risk = calibration.threshold(abstain)
        common: list[dict[str, Any]] = [
            {
                **found.fields_of(i),
                "evidence": ()
                if said is None
                else found.evidence(said.labels.datastore, i, predictor.task.of),
            }
            for i in range(len(found.probabilities))
        ]
        if predictor.task.exclusive:
            best = found.probabilities.argmax(1)
            sure = found.probabilities.max(1)
            return [
                Classification(
                    label=found.names[b], confidence=float(c), abstained=bool(c < risk), **rest
                )
                for b, c, rest in zip(best, sure, common, strict=True)
            ]
        limits = np.maximum(predictor.limits(found.names), risk)
        results = []
        for line, rest in zip(found.probabilities, common, strict=True):
            order = np.argsort(-line, kind="stable")
            tags = tuple(found.names[j] for j in order if line[j] >= limits[j])
            results.append(
                Tagging(
                    tags=tags,
                    confidence=float(line.max(initial=0)),
                    abstained=bool(risk) and not tags,
                    **rest,
                )
            )
        return results


class UntrainedLabels(LabelPipeline):
    """Answers classify or tag from a memory alone, see :mod:`ravl.tasks.labels.untrained`.

    Args:
        name: of the task.
        memory: to answer from.

    Raises:
        DataError: the memory has too few labels.
    """

    def __init__(self, name: str, memory: Memory) -> None:
        super().__init__(None, memory, memory_predictor(memory, LabelTargets(name)))


def _view_of(memory: Memory) -> View:
    view = memory.live.view()
    if not len(view):
        raise nothing_seen(memory)
    return view


def _reranker(run: Run, memory: Memory) -> NeighbourReranker | None:
    """What looks at neighbours again; None for most runs, which need no code of match."""
    if not run.record.get("rerank"):
        return None
    from ravl.tasks.neighbour_reranker import NeighbourReranker

    return NeighbourReranker.of_run(run, memory)
