"""``ravl refit``: one attempt, from what is new to who answers from now on."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ravl.errors import DataError
from ravl.files.lock import BusyError, locked, moment
from ravl.files.whole_file import write_text
from ravl.json_types import JsonObject
from ravl.memory import Memory
from ravl.pages.card import write_card
from ravl.refitting.champion import Champion
from ravl.refitting.comparing import Comparison, Promote, compared, decide
from ravl.refitting.log import note, read_log
from ravl.refitting.memory_changes import MemoryChanges, examples, read_news
from ravl.refitting.outcome import RefitReport
from ravl.refitting.page import page_of, tables_of
from ravl.refitting.triggers import waits_for
from ravl.refitting.versions import current, mend, replace_champion
from ravl.runs.run import REPORTS, RUN, open_run, write_json
from ravl.tasks.model import Model
from ravl.training.refit_plan import RefitPlan

WORK = "work-refit"  # begins the names of what an attempt makes in the run's folder


def refit(
    run: str | Path,
    memory: Memory | str | Path | None = None,
    *,
    promote: Promote = "better",
    replay: int = 0,
    newest: float = 0.2,
    if_new: int = 0,
    if_drift: bool = False,
    dry_run: bool = False,
    progress: bool | None = None,
    command: str = "",
) -> RefitReport:
    """Fit a run again, with what its memory has learned since, and keep the better of the two.

    The champion's test split stays what it is, and nothing learns from it. All its training
    pictures that are still there are trained on again, so that nothing is forgotten; a share of the
    new ones is held out, to judge by. Fusion models, generators and adapters begin with the
    champion's weights. Safe to interrupt: the same call continues where it stopped and the run can
    be used all the time.

    Args:
        run: the folder of a run.
        memory: another than the one it was fitted with; None for that one.
        promote: ``better``: only where the challenger is better by more than chance on both test
            splits together, and not worse on the frozen one; ``always`` or ``never``.
        replay: train on so many old pictures at most, evenly over their labels; 0 for all.
        newest: share of the new pictures that both are judged by, and the challenger not fitted to.
        if_new: do nothing unless so many pictures were labelled since the last attempt.
        if_drift: do nothing unless the pictures that come in have drifted; of two triggers one is
            enough.
        dry_run: only say what is new.
        progress: show bars; None shows them on a terminal.
        command: to be noted in the run; empty notes the process's own.

    Returns:
        :class:`RefitReport`. Where there is nothing new, or another process is at it, it says so.

    Raises:
        DataError: the run does not say what it has learned from.
        EncoderMismatchError: the memory's encoder is another one by now.
    """
    began, folder = time.monotonic(), Path(run).resolve()
    open_run(folder)
    if promote not in ("better", "always", "never"):
        raise DataError(f"promote is {promote!r}; it must be one of better, always, never.")
    for name, count in (("replay", replay), ("if_new", if_new)):
        if count < 0:
            raise DataError(f"{name} is {count}; it must not be negative.")
    if not 0 <= newest < 1:
        raise DataError(f"newest is {newest:g}; it must be a share, from 0 to below 1.")
    try:
        with locked(folder):
            mend(folder)
            with _opened(folder, memory, replay, newest) as (champion, news):
                rules = [promote, replay, newest, current(folder), news.digest]
                mark = hashlib.sha256(json.dumps(rules).encode()).hexdigest()[:12]
                refused = _refused(folder, champion.model, news, mark, if_new, if_drift, dry_run)
                if refused is not None:
                    return refused
                challenger = _fit(folder, champion, news, mark, progress, command)
                comparison = _compare(champion, challenger, news)
                found = _end(folder, champion, challenger, news, comparison, promote, mark)
                return replace(found, seconds=round(time.monotonic() - began, 1))
    except BusyError as error:
        return RefitReport(folder, "busy", str(error))


@contextmanager
def _opened(
    folder: Path, memory: Memory | str | Path | None, replay: int, newest: float
) -> Iterator[tuple[Champion, MemoryChanges]]:
    """The champion, and what is new; open while pictures are read."""
    work = folder / f"{WORK}-data"
    with Model(folder, memory) as model:
        champion = Champion.of(model)
        with examples(champion, work) as source:
            yield champion, read_news(champion, source, replay=replay, newest=newest)
    shutil.rmtree(work, ignore_errors=True)


def _refused(
    folder: Path,
    model: Model,
    news: MemoryChanges,
    mark: str,
    if_new: int,
    if_drift: bool,
    dry_run: bool,
) -> RefitReport | None:
    """What there is to say where nothing is to be trained; None where something is."""
    version = current(folder)
    attempts = [a for a in read_log(folder) if a.get("champion") == version and "mark" in a]
    changes = news.to_json()
    if not news.count:
        return RefitReport(
            folder, "nothing", "Nothing is new since the last fit.", version, changes
        )
    if earlier := [a for a in attempts if a["mark"] == mark]:
        at = earlier[-1]["at"]
        return RefitReport(
            folder, "nothing", f"Nothing is new since the refit of {at}.", version, changes
        )
    waiting = waits_for(model, news, attempts, if_new, if_drift)
    if waiting is not None:
        return RefitReport(folder, "waiting", waiting, version, changes)
    if dry_run:
        return RefitReport(folder, "dry", "A refit would train on that.", version, changes)
    return None


def _fit(
    folder: Path,
    champion: Champion,
    news: MemoryChanges,
    mark: str,
    progress: bool | None,
    command: str,
) -> Path:
    """The challenger's folder; what an interrupted attempt left there is gone on with."""
    out = folder / f"{WORK}-{mark}"
    for stale in folder.glob(f"{WORK}-*"):
        if stale not in (out, folder / f"{WORK}-data"):
            shutil.rmtree(stale)
    judged, begun = ((out / name).exists() for name in ("metrics.json", "config.json"))
    if judged == begun:  # cut off before the fit had begun, or just before it had ended
        shutil.rmtree(out, ignore_errors=True)
    if begun or not judged:
        again = RefitPlan(news.examples, news.splits, mark, champion.hooks.start)
        champion.task.fit(
            champion.model.memory,
            out,
            champion.settings,
            progress=progress,
            command=command,
            again=again,
        )
    record = json.loads((out / RUN).read_text("utf-8"))
    record["memory"]["version"] = news.version  # later rows were not learned from
    write_json(out / RUN, record)
    write_card(out, champion.task, folder.name)
    return out


def _compare(champion: Champion, challenger: Path, news: MemoryChanges) -> Comparison:
    """Both on the frozen split and the newest."""
    test = news.examples.take(news.splits.test)
    frozen = {news.examples.rows[i].hash or "" for i in news.frozen.tolist()}
    with Model(challenger, champion.model.memory) as other:
        seed = champion.settings.seed
        found = champion.hooks.compare(champion.model.predictor, other.predictor, test, seed)
        return compared(found, champion.task.primary, frozen)


def _end(
    folder: Path,
    champion: Champion,
    challenger: Path,
    news: MemoryChanges,
    comparison: Comparison,
    rule: Promote,
    mark: str,
) -> RefitReport:
    """Promote or not; the page and the log. The run is usable all the time."""
    better, why = decide(comparison, rule)
    before, at, changes = current(folder), moment(), news.to_json()
    verdict = f"The challenger {'replaces' if better else 'does not replace'} the champion: {why}."
    page = folder / REPORTS / f"{len(read_log(folder)) + 1:04}.html"
    page.parent.mkdir(exist_ok=True)
    html = page_of(folder.name, at, verdict, better, champion, news, comparison)
    write_text(page, html)
    version = replace_champion(folder, challenger) if better else before
    scores: JsonObject = comparison.to_json()
    note(
        folder,
        {
            "at": at,
            "state": "promoted" if better else "kept",
            "reason": why,
            "champion": before,
            "version": version,
            "rule": rule,
            "mark": mark,
            "page": f"{REPORTS}/{page.name}",
            **changes,
            "scores": scores,
        },
    )
    if not better:
        shutil.rmtree(challenger)
    return RefitReport(
        folder,
        "promoted" if better else "kept",
        verdict,
        version,
        changes,
        scores,
        tables_of(champion.task, comparison),
        page,
    )
