"""What an indexing run did."""

from __future__ import annotations

from dataclasses import dataclass, field

from ravl.data import Rejected
from ravl.json_types import JsonObject
from ravl.store.duplicates import DuplicateGroups

SHOWN = 1000  # reasons kept in a report; all are in the memory's quarantine


@dataclass
class IndexReport:
    """What an indexing run did.

    Args:
        added, updated, unchanged: rows.
        kept: rows in which a value stays that a person set, though the source says another one.
        rejected: how much was set aside; the reasons are in ``reasons`` and in the quarantine.
        reasons: the first thousand of them.
        renamed: old and new id of rows whose picture has another file name now.
        trashed: ids of rows that went to the trash: their file holds the picture of another row
            now, and their own picture is nowhere.
        skipped: how many files of each kind a folder has that are no pictures, or were left out:
            "video", "PDF", "thumbnail".
        duplicates: groups of near-duplicates that the new pictures belong to.
        encoded: pictures that went through the network.
        seconds: the whole run took.
        dry_run: True if nothing was written.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    rejected: int = 0
    reasons: list[Rejected] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    trashed: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    duplicates: DuplicateGroups = field(default_factory=lambda: DuplicateGroups([]))
    encoded: int = 0
    seconds: float = 0.0
    dry_run: bool = False

    @property
    def found_nothing(self) -> bool:
        """True if the source gave no row, neither a new nor a known one."""
        return not (self.added or self.updated or self.unchanged or self.renamed)

    def to_json(self) -> JsonObject:
        """As plain JSON types."""
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "kept": self.kept,
            "renamed": [{"from": old, "to": new} for old, new in self.renamed],
            "trashed": self.trashed,
            "set_aside": self.rejected,
            "skipped": self.skipped,
            "encoded": self.encoded,
            "seconds": round(self.seconds, 2),
            "dry_run": self.dry_run,
            "reasons": [r.to_json() for r in self.reasons],
            "near_duplicates": [list(group) for group in self.duplicates.groups],
        }
