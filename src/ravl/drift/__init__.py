"""Drift: whether the pictures that are asked about are still those of fitting time."""

from ravl.drift.comparing import detect_drift
from ravl.drift.report import Drift, Tested
from ravl.runs.signals import Signals

__all__ = ["Drift", "Signals", "Tested", "detect_drift"]
