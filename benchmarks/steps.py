"""Time of a training step of the fusion model with retrieval over without, and retrieval's part.

Batches of 32 of `clothing_small`, eight neighbours each; MiniLM with its last two layers trained.
All are measured in turns in one run. *Retrieval* is finding the neighbours of a batch in the
memory and gathering their arrays.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.labelled import memory_of
from benchmarks.report import Lines, alternate
from ravl.models.linear import HeadFit
from ravl.models.reader import gather
from ravl.runs.evidence_arrays import EvidenceArrays
from ravl.tasks.labels.dataset import prepare
from ravl.tasks.labels.targets import LabelTargets
from ravl.tasks.labels.votes import LabelMatrix
from ravl.training.examples import read_labelled
from ravl.training.fit_settings import FitSettings
from ravl.training.language_model import new_model, prepare_language
from ravl.training.splits import split

BATCH, K = 32, 8
TIMES = 12
TINY = {"BATCH": 4, "K": 2, "TIMES": 1}


def run() -> Lines:
    with tempfile.TemporaryDirectory() as folder, memory_of("clothing_small", Path(folder)) as m:
        task, settings = LabelTargets("classify"), FitSettings()
        examples = read_labelled(m, m, task.of)
        classes = [row.label or "" for row in examples.rows]
        parts = split(
            examples.rows,
            examples.groups,
            classes,
            m,
            validation=None,
            test='split = "validation"',
            validation_share=0.15,
            test_share=0.2,
            seed=0,
        )
        data = prepare(m, task, settings, examples, parts)
        head = HeadFit(data.train.queries.seen, data.train.targets, data.loss)(1e-4)
        label_matrix = LabelMatrix.of(data.datastore, task, data.labels)
        evidence = EvidenceArrays.of(label_matrix, head.standard(data.datastore.features), m, task)
        width = head.weight.shape[1]
        model = new_model(
            settings,
            features=width,
            vectors=m.encoder.dimension,
            labels=len(data.labels),
            exclusive=True,
            base=width,
            k=K,
            weights=None,
        )
        prepare_language(model, settings.tune_language_model)
        optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
        some = np.arange(BATCH)
        features = torch.from_numpy(head.standard(data.train.queries.seen[:BATCH]))
        targets = torch.from_numpy(data.train.targets[:BATCH])
        keys = data.keys(data.train.queries.features[:BATCH])
        hidden = data.train.examples.take(some).shown

        def retrieve() -> Any:
            neighbours = data.datastore.neighbours(keys, K, hidden)
            return gather(evidence, neighbours.positions, neighbours.similarity)

        def step(neighbours: Any) -> None:
            optimiser.zero_grad()
            model(features=features, neighbours=neighbours, targets=targets).loss.backward()
            optimiser.step()

        without, with_, alone = alternate(
            [lambda: step(None), lambda: step(retrieve()), retrieve], repeat=TIMES
        )
    return [
        {
            "step without, ms": round(1000 * without),
            "step with, ms": round(1000 * with_),
            "with / without": round(with_ / without, 2),
            "retrieval, ms": round(1000 * alone, 1),
            "retrieval's share of the step": f"{100 * alone / with_:.1f} %",
        }
    ]
