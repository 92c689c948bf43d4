"""Fixes for the findings of a check, as one version of the memory; they can be undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ravl.checking.issue import FIXES, Fix, Issue
from ravl.data import QA
from ravl.errors import QueryError, RowNotFoundError
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.memory.writing import Write, write

LEAST = 0.9  # minimum score of a fix for rows that are not given by id


@dataclass
class FixReport:
    """The result of a fix, or of its dry run.

    Args:
        fix: the name of the fix.
        relabelled: id, old label and new label of each row.
        dropped: ids of rows that were moved to the trash.
        merged: for each row that took over the data of other rows, the ids of the other rows; they
            are in the trash, too.
        version: the new version of the memory; None for a dry run, and if nothing was changed.
    """

    fix: Fix
    relabelled: list[tuple[str, str, str]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    merged: dict[str, list[str]] = field(default_factory=dict)
    version: int | None = None

    @property
    def trashed(self) -> list[str]:
        """Ids of all rows that were moved to the trash."""
        return [*self.dropped, *(id for its in self.merged.values() for id in its)]

    def to_json(self) -> JsonObject:
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
    """Apply the fix of all findings with a high score, or of the given rows; one version.

    ``relabel`` gives rows their likely label; the old label stays in the history. ``drop`` moves
    rows to the trash. ``merge`` keeps one row of a group of near-duplicates, with the texts, tags,
    questions and columns of all, and moves the other rows to the trash. ``memory.revert`` undoes a
    fix, and ``memory.restore`` restores rows from the trash.

    Args:
        memory: the memory that was checked.
        findings: the findings of the check.
        how: the fix to apply; other findings are ignored.
        least: the minimum score of a finding.
        ids: ids of rows; if given, only findings about these rows are fixed, with any score.
        dry_run: change nothing, and report what would be done.

    Raises:
        QueryError: the fix is unknown.
        RowNotFoundError: there is no finding with this fix for one of the ids.
    """
    if how not in FIXES:
        raise QueryError(f"There is no fix {how!r}; there are: {', '.join(FIXES)}.")
    chosen = _chosen([f for f in findings if f.fix == how], how, set(ids), least)
    wanted = list(dict.fromkeys(id for finding in chosen for id in finding.ids))

    def work(under_way: Write) -> FixReport:
        there = memory.store.rows.find(wanted)  # other writers may have edited them since
        report, changed = _plan(chosen, how, there)
        if changed or report.trashed:
            count = len({row.id for row in changed} | set(report.trashed))
            what = f"check: {how} {count:,} rows"
            for row in changed:
                under_way.put(row, what)
            for id in report.trashed:
                under_way.trash(there[id], what)
        report.version = under_way.version
        return report

    if dry_run:
        return _plan(chosen, how, memory.store.rows.find(wanted))[0]
    return write(memory, work)


def _plan(
    chosen: Sequence[Issue], how: Fix, there: Mapping[str, Row]
) -> tuple[FixReport, list[Row]]:
    """What would be done, and the rows in their new form."""
    report, changed = FixReport(how), []
    for finding in chosen:
        rows = [there[id] for id in finding.ids if id in there]
        if how == "relabel":
            changed += _relabel(rows, finding, report)
        elif how == "merge" and len(rows) > 1:
            changed += [merged] if (merged := union(rows)) != rows[0] else []
            report.merged[rows[0].id] = [row.id for row in rows[1:]]
        elif how == "drop":
            report.dropped += [row.id for row in rows if row.id not in report.dropped]
    return report, changed


def union(rows: Sequence[Row]) -> Row:
    """The first row, with the texts, tags, questions and columns of all rows, without duplicates.

    Its own columns and label do not change; without a label, it takes a label of the others.
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
    """Findings of the given ids, or with a high score; the highest score first, so it wins."""
    if not ids:
        found = [finding for finding in findings if finding.score >= least]
    else:
        found = [finding for finding in findings if ids & set(finding.ids)]
        missing = ids - {id for finding in found for id in finding.ids}
        if missing:
            raise RowNotFoundError(
                f"There is no finding about the row {min(missing)!r} that {how!r} would fix. "
                "Run the check without --fix to see the findings."
            )
    return sorted(found, key=lambda finding: -finding.score)


def _relabel(rows: Sequence[Row], finding: Issue, report: FixReport) -> list[Row]:
    """Rows of a finding that need its label and did not get a new label yet."""
    done = {id for id, _, _ in report.relabelled}
    label, seen = finding.label, dict(zip(finding.ids, finding.given, strict=False))
    wrong = [
        row
        for row in rows
        if row.label and row.label != label and row.id not in done
        if row.label == seen.get(row.id, row.label)  # nobody has relabelled it since
    ]
    report.relabelled += [(row.id, row.label or "", label or "") for row in wrong]
    return [replace(row, label=label) for row in wrong]
