"""Putting right what a check found, as one version of the memory; all of it can be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ravl.checking.issue import FIXES, Fix, Issue
from ravl.data import QA
from ravl.errors import QueryError, RowNotFoundError
from ravl.memory import Memory, Row
from ravl.memory.editing import edit

LEAST = 0.9  # score from which a fix is made without being asked for by id


@dataclass
class FixReport:
    """What a fix did, or would do.

    Args:
        fix: which one.
        relabelled: id, old label and new label of rows.
        dropped: ids of rows that went into the bin.
        merged: for each row that took over what others said, ids of the others; those are in the
            bin too.
        version: of the memory that it made; None for a dry run, and where there was nothing to do.
    """

    fix: Fix
    relabelled: list[tuple[str, str, str]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    merged: dict[str, list[str]] = field(default_factory=dict)
    version: int | None = None

    @property
    def binned(self) -> list[str]:
        """Ids of all rows that went into the bin."""
        return [*self.dropped, *(id for its in self.merged.values() for id in its)]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "fix": self.fix,
            "relabelled": [{"id": i, "old": a, "new": b} for i, a, b in self.relabelled],
            "dropped": self.dropped,
            "merged": self.merged,
            "version": self.version,
        }


def fix(
    memory: Memory,
    findings: Sequence[Issue],
    how: Fix,
    *,
    least: float = LEAST,
    ids: Iterable[str] = (),
    dry_run: bool = False,
) -> FixReport:
    """Make the fix that findings suggest, for those that are sure or named; one version.

    ``relabel`` gives rows their likely label; the old one stays in the history. ``drop`` moves
    rows into the bin. ``merge`` keeps one row of a group of near-duplicates, with the texts, tags,
    questions and columns of all, and moves the others into the bin. ``memory.revert`` takes each
    back, and ``memory.restore`` what is in the bin.

    Args:
        memory: that was checked.
        findings: of the check.
        how: only findings that suggest this fix are followed.
        least: score that a finding needs.
        ids: of rows; then only findings about one of these are followed, whatever their score.
        dry_run: change nothing, and say what would be done.

    Raises:
        QueryError: there is no such fix.
        RowNotFoundError: no finding that suggests this fix is about one of the ids.
    """
    if how not in FIXES:
        raise QueryError(f"There is no fix {how!r}; there are: {', '.join(FIXES)}.")
    chosen = _chosen([f for f in findings if f.fix == how], how, set(ids), least)
    report, changed = FixReport(how), []
    for finding in chosen:
        rows = [memory.get(id) for id in finding.ids if id in memory]
        if how == "relabel":
            changed += _relabel(rows, finding, report)
        elif how == "merge" and len(rows) > 1:
            changed += [merged] if (merged := union(rows)) != rows[0] else []
            report.merged[rows[0].id] = [row.id for row in rows[1:]]
        elif how == "drop":
            report.dropped += [row.id for row in rows if row.id not in report.dropped]
    if not dry_run and (changed or report.binned):
        count = len({row.id for row in changed} | set(report.binned))
        what = f"check: {how} {count:,} rows"
        report.version = edit(memory, what, changed, report.binned)
    return report


def union(rows: Sequence[Row]) -> Row:
    """The first row, with the texts, tags, questions and columns of all, each once.

    Its own columns stay as they are, and so does its label; it takes one where it has none.
    """
    columns = {name: value for row in reversed(rows) for name, value in row.columns.items()}
    answers: dict[str, dict[str, None]] = {}
    for row in rows:
        for qa in row.qa:
            answers.setdefault(qa.question, {}).update(dict.fromkeys(qa.answers))
    return replace(
        rows[0],
        texts=tuple(dict.fromkeys(text for row in rows for text in row.texts)),
        label=next((row.label for row in rows if row.label), None),
        tags=tuple(dict.fromkeys(tag for row in rows for tag in row.tags)),
        qa=tuple(QA(question, tuple(its)) for question, its in answers.items()),
        columns=columns,
    )


def _chosen(findings: list[Issue], how: Fix, ids: set[str], least: float) -> list[Issue]:
    """Those that are named, or sure; the surest first, so that it speaks where two disagree."""
    if not ids:
        found = [finding for finding in findings if finding.score >= least]
    else:
        found = [finding for finding in findings if ids & set(finding.ids)]
        missing = ids - {id for finding in found for id in finding.ids}
        if missing:
            raise RowNotFoundError(
                f"Nothing was found about the row {min(missing)!r} that {how!r} would put right. "
                "See what was found without --fix."
            )
    return sorted(found, key=lambda finding: -finding.score)


def _relabel(rows: Sequence[Row], finding: Issue, report: FixReport) -> list[Row]:
    """Rows of a finding with its label, but for those that have it, or have a new one already."""
    done = {id for id, _, _ in report.relabelled}
    label = finding.label
    wrong = [row for row in rows if row.label and row.label != label and row.id not in done]
    report.relabelled += [(row.id, row.label or "", label or "") for row in wrong]
    return [replace(row, label=label) for row in wrong]
