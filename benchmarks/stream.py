"""A stream of new classes on `clothing_small`: what has to be trained again, and what that takes.

The ten classes arrive three, three, two and two at a time (four orders); after each arrival all
test pictures of the classes seen so far are answered, by the model with the memory and by the model
alone. The first run is fitted to the first three classes. *Memory edits only*: the new pictures are
added to the memory, nothing is trained. *Refit*: `ravl.refit`, which trains on the old pictures and
four fifths of the new ones, by its own rule or with `promote="always"`; with one old picture a
class, it replays no more than that. *New rows only*: the old weights go on learning by gradient
descent (ten passes) from the new pictures alone. *From scratch*: `ravl.fit` on all that is there.
The fusion level takes one order. Its fit from scratch also trains the comparison that reads no
neighbours, which a refit leaves out. The seconds are those of one step's training, judging and
reports included, on one core.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import ravl
from benchmarks.labelled import memory_of
from benchmarks.report import Lines, picture_set
from ravl.memory import Memory
from ravl.models.gate import Gate
from ravl.models.linear import LinearHead
from ravl.retrieval.live import Followed, View
from ravl.tasks.labels.evaluate import queries_of
from ravl.tasks.labels.model import LabelPipeline
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.targets import LabelTargets
from ravl.training.examples import Examples, read_labelled

ORDERS = {"linear": 4, "fusion": 1}
SIZES = (3, 3, 2, 2)
PASSES, RATE, BATCH = 10, 1e-3, 32
HOW: dict[str, dict[str, Any]] = {"linear": {}, "fusion": {}}  # settings of the levels
TINY = {
    "ORDERS": {"linear": 1, "fusion": 1},
    "SIZES": (2, 2),
    "PASSES": 1,
    "HOW": {"linear": {}, "fusion": {"epochs": 1}},
}
TASK = LabelTargets("classify")


class Always(Followed[LabelPredictor]):
    """A predictor that stays as it is, whatever becomes of the memory."""

    def __init__(self, predictor: LabelPredictor) -> None:
        super().__init__()
        self._predictor = predictor

    def follow(self, known: object, view: View) -> LabelPredictor:  # noqa: ARG002 (it stays)
        """The predictor."""
        return self._predictor


Figures = dict[tuple[str, str, int], list[tuple[float, float, float, float]]]


def run() -> Lines:
    found: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with memory_of("clothing_small", work) as everything:
            for level, orders in ORDERS.items():
                for order in range(orders):
                    stream(everything, work / f"{level}{order}", order, level, found)
    steps = len(SIZES)
    names = dict.fromkeys((level, name) for level, name, _ in found)
    lines: Lines = []
    for level, name in names:
        for step in range(steps):
            if (level, name, step) in found and (step or not name.startswith("refit")):
                both, alone, old, took = np.array(found[level, name, step]).T
                lines.append(
                    {
                        "level": level,
                        "classes": sum(SIZES[: step + 1]),
                        "what is done": name,
                        "with memory": _percent(both),
                        "model alone": _percent(alone),
                        "with memory, classes of before": _percent(old) if step else "–",
                        "seconds": f"{took.mean():.1f}",
                    }
                )
    return sorted(lines, key=lambda line: (line["level"] == "fusion", line["classes"]))


def stream(everything: Memory, folder: Path, order: int, level: str, found: Figures) -> None:
    """One order of the classes."""
    folder.mkdir()
    lines = picture_set("clothing_small")[1]
    names = sorted({line["label"] for line in lines})
    shuffled = [names[i] for i in np.random.default_rng(order).permutation(len(names))]
    test = [line for line in lines if line["split"] == "validation"]
    train = [{"image": x["image"], "label": x["label"]} for x in lines if x not in test]
    with (
        Memory.create(folder / "shop.ravl") as memory,
        Memory.create(folder / "test.ravl") as asked,
    ):
        add(asked, [{"image": x["image"], "label": x["label"]} for x in test], everything)
        came: list[str] = []
        for step, size in enumerate(SIZES):
            new = shuffled[len(came) : len(came) + size]
            add(memory, [line for line in train if line["label"] in new], everything)
            came += new
            questions = read_labelled(asked, memory, TASK.of)
            seen = np.array([row.label in came for row in questions.rows])
            questions = questions.take(np.flatnonzero(seen))
            one_step(memory, folder, step, new, questions, level, found)


def one_step(
    memory: Memory,
    folder: Path,
    step: int,
    new: list[str],
    questions: Examples,
    level: str,
    found: Figures,
) -> None:
    """What each way makes of the classes that have just come."""
    first = {name: folder / name for name in ("edits", "better", "always", "forgetful")}
    naive = folder / "naive.npz"
    if not step:
        fit(memory, first["edits"], level)
        for run in list(first.values())[1:]:
            shutil.copytree(first["edits"], run)
        head = ravl.load(first["edits"], memory).predictor.label_predictor
        np.savez(naive, weight=head.head.weight, bias=head.head.bias, labels=head.labels)

    def refit(run: Path, promote: Any, replay: int = 0) -> Path:
        report = ravl.refit(run, memory, promote=promote, replay=replay, progress=False)
        print(level, step, run.name, report.state, report.reason, flush=True)
        return run

    def note(
        name: str, work: Callable[[], Path], parts: Callable[[], dict[str, Any]] = dict
    ) -> None:
        """Time what is done, and judge the run that comes of it, with other parts if any do."""
        began = time.perf_counter()
        run = work() if step or name == FROM_SCRATCH else first["edits"]
        learnt = parts()
        took = time.perf_counter() - began
        with ravl.load(run, memory) as model:
            predictor = model.predictor
            if learnt:
                other = replace(predictor.label_predictor, **learnt)
                predictor = LabelPipeline(model.run, memory, Always(other))
            found.setdefault((level, name, step), []).append(
                (*accuracies(predictor, questions, new), took)
            )

    note("memory edits only", lambda: first["edits"])
    if level == "linear":
        note("refit, when better", lambda: refit(first["better"], "better"))
    note("refit, always", lambda: refit(first["always"], "always"))
    if step:
        old = sum(SIZES[:step])
        note("refit, one old picture a class", lambda: refit(first["forgetful"], "always", old))
    if step and level == "linear":
        edits = first["edits"]
        note("new rows only", lambda: edits, lambda: go_on(memory, edits, naive, new))
    note(FROM_SCRATCH, lambda: fit(memory, folder / f"scratch{step}", level))


FROM_SCRATCH = "fit from scratch"


def fit(memory: Memory, run: Path, level: str) -> Path:
    ravl.fit("classify", memory, out=run, model=level, progress=False, **HOW[level])
    return run


def go_on(memory: Memory, run: Path, file: Path, new: list[str]) -> dict[str, Any]:
    """Gradient descent on the new rows, from the weights of the step before."""
    import torch as untyped

    torch: Any = untyped
    with np.load(file) as kept:
        weight, bias, labels = kept["weight"], kept["bias"], kept["labels"].tolist()
    fitted = ravl.load(run, memory).predictor.label_predictor
    labels += new
    weight = np.vstack([weight, np.zeros((len(new), weight.shape[1]), np.float32)])
    bias = np.concatenate([bias, np.zeros(len(new), np.float32)])
    rows = read_labelled(memory, memory, TASK.of)
    fresh = np.flatnonzero([row.label in new for row in rows.rows])
    x = torch.from_numpy(fitted.head.standard(rows.features[fresh]))
    y = torch.tensor([labels.index(rows.rows[i].label or "") for i in fresh])
    torch.manual_seed(0)
    head = torch.nn.Linear(*weight.T.shape)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))
    optimiser = torch.optim.AdamW(head.parameters(), lr=RATE)
    for _ in range(PASSES):
        for some in torch.randperm(len(x)).split(BATCH):
            loss = torch.nn.functional.cross_entropy(head(x[some]), y[some])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    weight, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
    np.savez(file, weight=weight, bias=bias, labels=labels)
    return {
        "head": replace_head(fitted.head, weight, bias),
        "labels": labels,
        "vote_gate": widened(fitted.vote_gate, len(labels)),
        "gate": widened(fitted.gate, len(labels)),
    }


def replace_head(head: LinearHead, weight: Any, bias: Any) -> LinearHead:
    return replace(head, weight=weight, bias=bias)


def widened(gate: Gate, count: int) -> Gate:
    """A gate for more labels: new ones are as frequent as the mean of the others."""
    known = gate.class_prior
    wide = np.full(count, known.mean(), np.float32)
    wide[: len(known)] = known
    counts = np.pad(gate.counts, (0, count - len(known))) if len(gate.counts) else gate.counts
    return replace(gate, class_prior=wide / wide.sum(), counts=counts)


def accuracies(
    predictor: LabelPipeline, questions: Examples, new: list[str]
) -> tuple[float, float, float]:
    """With the memory, of the model alone, and with the memory of what came before."""
    queries = queries_of(predictor, questions)
    truth = np.array([row.label for row in questions.rows])
    both = predictor.judge(queries, questions.shown)
    alone = predictor.judge(queries, questions.shown, retrieval=False)
    said = np.array(both.names)[both.probabilities.argmax(1)] == truth
    own = np.array(alone.names)[alone.probabilities.argmax(1)] == truth
    before = ~np.isin(truth, new)
    return float(said.mean()), float(own.mean()), float(said[before].mean()) if before.any() else 1


def add(memory: Memory, lines: Lines, reuse_from: Memory) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("\n".join(json.dumps(line) for line in lines) + "\n")
        file.flush()
        root = picture_set("clothing_small")[0]
        memory.index(file.name, reuse_from=reuse_from, progress=False, root=root)


def _percent(values: Any) -> str:
    spread = f" ± {100 * values.std(ddof=1):.1f}" if len(values) > 1 else ""
    return f"{100 * values.mean():.1f}{spread}"
