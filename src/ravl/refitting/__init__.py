"""Refitting: a run that learned from a memory learns again from what the memory has become.

The run that answers is the *champion*; the one that is made from its weights and the data since
then is the *challenger*. Both are judged as they would answer now, on the champion's own test
part, which nothing ever learns from, and on the newest labelled pictures. The challenger takes the
champion's place only where it is better by more than chance.
"""

from __future__ import annotations

from ravl.refitting.attempt import refit
from ravl.refitting.outcome import RefitReport
from ravl.refitting.versions import rollback

__all__ = ["RefitReport", "refit", "rollback"]
