"""Tuning a vision tower for labels or tags."""
