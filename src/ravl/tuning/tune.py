"""A search for the settings of a fit: trials on the validation split, then one fit of the best.

The examples and the evidence are prepared once, without the test split; trials fit on them in turn.
What was tried is in a journal, so that a search that was killed goes on with what is missing.
"""

from __future__ import annotations

import csv
import io
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ravl import addresses
from ravl.errors import DataError
from ravl.evaluation import Score, is_percent
from ravl.files.lock import locked
from ravl.files.whole_file import write_text
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.progress import progress_bar
from ravl.tasks import registry
from ravl.tasks.fit import made_settings
from ravl.training.engine import open_data
from ravl.training.fit_folder import begin
from ravl.training.loop_settings import LoopSettings
from ravl.tuning.space import Report, Space, Study, Tried, Value, read_space
from ravl.tuning.trial import recipe_of, score
from ravl.untrusted import read_json

if TYPE_CHECKING:
    from ravl.data import ColumnNames

Source = str | Path | None
STUDY = "study.journal"


@dataclass(frozen=True)
class TuneReport:
    """What a search has found.

    Args:
        out: its folder, with ``best`` (a run), ``best.yaml``, ``trials.csv`` and ``report.html``.
        task: that was tuned.
        measure: the metric that trials were compared by.
        trials: all that came to an end.
        best: the best of them.
        metrics: of the run that was fitted with the best settings, as in its ``metrics.json``.
        seconds: this call took.
    """

    out: Path
    task: str
    measure: str
    trials: list[Tried]
    best: Tried
    metrics: JsonObject
    seconds: float

    def counts(self) -> str:
        """How many trials there were: ``6 (5 complete, 1 pruned)``."""
        states = Counter(trial.state for trial in self.trials)
        return f"{len(self.trials):,} ({', '.join(f'{n:,} {s}' for s, n in states.items())})"

    def judged(self) -> str:
        """The measure of the best run on the test split, with its interval."""
        score = Score(**self.metrics["rows"]["with_retrieval"][self.measure])
        return f"{self.measure} {score.percent() if is_percent(self.measure) else score}"

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {**asdict(self), "out": str(self.out)}


def tune(
    task: str,
    memory: Memory | str | Path,
    *,
    out: str | Path,
    data: Source = None,
    validation: Source = None,
    test: Source = None,
    columns: ColumnNames | None = None,
    root: Source = None,
    trials: int = 20,
    timeout: float | None = None,
    space: Source = None,
    progress: bool | None = None,
    command: str = "",
    **fixed: object,
) -> TuneReport:
    """Search for the settings that are best on the validation split, and fit once with them.

    Safe to interrupt: the same call goes on with the trials that are missing. With more trials
    it goes on after the end, and fits again if a better one was found.

    Args:
        task: its command, such as ``classify``.
        memory: or the path of its file.
        out: folder of the search: new, or of this very search.
        data, validation, test, columns, root: see :func:`ravl.tasks.fit.fit`. The test split is
            looked at by the one fit at the end only.
        trials: in all, counting those of an interrupted search.
        timeout: seconds after which no further trial begins, if one is complete.
        space: a YAML file of what to try, as in ``search_space.yaml``; None for that of the task.
        progress: show bars; None shows them on a terminal.
        command: to be noted in the run.
        **fixed: settings of the fit that are not searched.

    Raises:
        DataError: Optuna is missing, no such task or setting, a space that is not valid, too little
            to learn from, a folder of something else or in which another process works, or no
            trial came to a good end.
    """
    began, optuna = time.monotonic(), _optuna()
    addresses.allow_settings(fixed)
    settings, out = _settings(task, trials, timeout, fixed), Path(out)
    file = Path(space) if space is not None else registry.choose(task, fixed).search_space()
    tried = read_space(file, type(settings), fixed)
    sources: dict[str, Any] = {
        "data": data,
        "validation": validation,
        "test": test,
        "columns": columns,
        "root": root,
        "progress": progress,
    }
    with (
        locked(out),
        nullcontext(memory) if isinstance(memory, Memory) else Memory.open(memory) as memory,
    ):
        work = begin(
            out,
            {
                "task": f"tune {task}",
                "memory": str(memory.path),
                "settings": settings.to_json(),
                "space": tried.to_json(),
                "sources": [None if s is None else str(s) for s in (data, validation, test, root)],
            },
        )
        recipe = recipe_of(task, memory, settings)
        recipe.check()
        study = Study(optuna, out / STUDY, settings.seed)
        if len(study.ended()) < trials:
            with _begun(out, study), open_data(recipe, work, **sources) as (data, _):
                data = recipe.without_test(data)
                once = partial(_trial, study, task, memory, data, settings, tried, work / "trial")
                _search(study, once, trials, timeout, progress)
        best = _best(study)
        chosen = replace(settings, **best.parameters)
        metrics = _fit_best(task, memory, out, chosen, **sources, command=command)
        about = {"Memory": str(memory.path), "Model": _model(settings), "Command": command}
        shutil.rmtree(work, ignore_errors=True)
        seconds = round(time.monotonic() - began, 1)
        report = TuneReport(out, task, recipe.measure, study.ended(), best, metrics, seconds)
        _write(report, about, study.importances())
        return report


@contextmanager
def _begun(out: Path, study: Study) -> Iterator[None]:
    """After an error before the first trial, the folder is free again: nothing was found yet."""
    try:
        yield
    except DataError:
        if not study.ended():
            for each in (out / "config.json", out / STUDY):
                each.unlink(missing_ok=True)
            shutil.rmtree(out / "work", ignore_errors=True)
        raise


def kept(out: Path) -> int:
    """How many trials of a search have ended, as far as it has come."""
    return len(Study(_optuna(), out / STUDY).ended()) if (out / STUDY).exists() else 0


def _optuna() -> ModuleType:
    try:
        import optuna
    except ImportError as error:
        needs = 'Tuning needs the package optuna. Install it with: pip install "ravl[tune]"'
        raise DataError(needs) from error
    return optuna


def _settings(
    task: str, trials: int, timeout: float | None, fixed: Mapping[str, object]
) -> LoopSettings:
    chosen = registry.choose(task, fixed)
    if not chosen.answers:
        able = ", ".join(dict.fromkeys(each.command for each in registry.tasks() if each.answers))
        raise DataError(f"{task!r} cannot be tuned; what can be: {able}.")
    settings = made_settings(chosen, fixed)
    if trials < 1:
        raise DataError(f"trials is {trials}; it must be at least 1.")
    if timeout is not None and not timeout > 0:
        raise DataError(f"timeout is {timeout}; it must be more than 0 seconds.")
    return settings


def _model(settings: LoopSettings) -> str:
    """The level that is fitted, for settings that name one."""
    return str(getattr(settings, "model", "auto"))


def _search(
    study: Study, once: Callable[[], None], trials: int, timeout: float | None, show: bool | None
) -> None:
    """Trials until there are enough of them, or the time is over and one is complete."""
    deadline = time.monotonic() + (timeout or float("inf"))
    with progress_bar("Tuning", "trials", show) as advance:
        advance(len(study.ended()), trials)
        while len(study.ended()) < trials:
            if study.best() is not None and time.monotonic() >= deadline:
                break
            once()
            best = study.best()
            advance(1, trials, f"best {best.score:.3f}" if best is not None else "")


def _trial(
    study: Study,
    task: str,
    memory: Memory,
    data: object,
    settings: LoopSettings,
    space: Space,
    folder: Path,
) -> None:
    def fit(chosen: dict[str, Value], report: Report) -> dict[str, float]:
        recipe = recipe_of(task, memory, replace(settings, **chosen))
        return score(recipe, data, folder, report)

    shutil.rmtree(folder, ignore_errors=True)  # of a trial that was killed
    study.run(fit, space, _model(settings), recipe_of(task, memory, settings).measure)


def _best(study: Study) -> Tried:
    best = study.best()
    if best is None:
        ended = study.ended()
        raise DataError(
            f"None of {len(ended):,} trials came to a good end. The last one: "
            f"{ended[-1].error or 'it was stopped early.'} Try others with --space."
        )
    return best


# --- what is left of it --------------------------------------------------------------------


def _fit_best(
    task: str, memory: Memory, out: Path, chosen: LoopSettings, **options: Any
) -> JsonObject:
    """One whole fit, unless there is one with these settings; its ``metrics.json``."""
    from ravl.tasks.fit import fit
    from ravl.training.fit_settings import write_settings

    run, file, new = out / "best", out / "best.yaml", out / "work" / "best.yaml"
    write_settings(chosen, new)
    if not file.exists() or file.read_text("utf-8") != new.read_text("utf-8"):
        if run.exists():
            shutil.rmtree(run)  # of fewer trials; before the settings say something else
        new.replace(file)
    if not (run / "metrics.json").exists():
        fit(task, memory, out=run, **options, **chosen.to_json())
    found: JsonObject = read_json(run / "metrics.json")
    return found


def _write(report: TuneReport, about: dict[str, str], mattered: list[tuple[str, float]]) -> None:
    """``trials.csv`` and ``report.html``."""
    from ravl.pages.tune_report import TrialLine, tune_report

    measure, best, lines, table = report.measure, None, [], []
    history: list[tuple[float, float]] = []
    for t in report.trials:
        table.append(
            {
                "trial": t.number,
                "state": t.state,
                "seconds": t.seconds,
                "score": t.score,
                **t.scores,
                **t.parameters,
                "error": t.error,
            }
        )
        words = {
            name: f"{v:.3g}" if isinstance(v, float) else str(v) for name, v in t.parameters.items()
        }
        lines.append(TrialLine(t.number, t.state, t.scores.get(measure), t.seconds, words))
        if t.score is not None:
            best = t if best is None or t.score > (best.score or 0) else best
            history.append((float(t.number), best.scores[measure]))
    csv_text = io.StringIO(newline="")
    writer = csv.DictWriter(csv_text, list(dict.fromkeys(name for row in table for name in row)))
    writer.writeheader()
    writer.writerows(table)
    write_text(report.out / "trials.csv", csv_text.getvalue())
    facts = [
        *about.items(),
        ("Trials", report.counts()),
        ("Compared by", f"{measure} on the validation split, less a hundredth of its log loss"),
        ("The best, fitted whole", f"{report.judged()} on the test split; see best/"),
        ("Time", f"{report.seconds:,.0f} s"),
    ]
    page = tune_report(
        f"Tuning {report.task}",
        [f for f in facts if f[1]],
        lines,
        mattered,
        report.best.number,
        measure,
        history,
    )
    write_text(report.out / "report.html", page)
