"""What a fit of any task leaves in its folder: first the run, then what it is worth."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from ravl.encoders.base import Array, Encoder
from ravl.files.whole_file import write_text
from ravl.json_types import JsonRecord
from ravl.memory import Memory
from ravl.runs.run import Run, about_memory, write_json, write_run
from ravl.training.examples import Examples
from ravl.training.fit_report import FitReport
from ravl.training.fit_settings import write_settings
from ravl.training.loop_settings import LoopSettings
from ravl.training.refit_plan import keep_splits
from ravl.training.run_record import encoder_of, logs, versions
from ravl.training.splits import SPLIT_NAMES, Splits


def begin_run(
    out: Path,
    described: JsonRecord,
    arrays: Mapping[str, Mapping[str, Array]],
    *,
    memory: Memory,
    base: Encoder,
    examples: Examples,
    splits: Splits,
    settings: LoopSettings,
    command: str,
) -> Run:
    """Write what answers, what it was fitted to, and how.

    Args:
        out: the run's folder.
        described: what ``run.json`` says of the predictor and its level.
        arrays: of its parts.
        memory: of the run.
        base: the encoder that it looks and reads with.
        examples: all that was learned from and judged by.
        splits: of them.
        settings: as they were given.
        command: that fitted it; empty for the process's own.
    """
    record = {
        **described,
        "memory": about_memory(memory, out),
        "encoder": encoder_of(memory),
        "base": json.loads(base.fingerprint.to_json()),
        "command": command or " ".join(sys.argv),
        "versions": versions(),
        "parts": {n: len(getattr(splits, n)) for n in SPLIT_NAMES},
    }
    logs(out)
    run = write_run(out, record, arrays)
    write_settings(settings, out / "settings.yaml")
    keep_splits(out, memory, examples, splits)
    return run


def end_run(report: FitReport, page: str) -> FitReport:
    """Write figures and report; with ``metrics.json`` the run has ended."""
    out = report.out
    write_text(out / "report.html", page)
    write_json(
        out / "metrics.json",
        {
            "task": report.task,
            "level": report.chosen,
            **report.metrics,
            "notes": report.notes,
            "seconds": report.seconds,
        },
    )
    return report
