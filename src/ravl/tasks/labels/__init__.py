"""Classify and tag: one label, or several, for a picture."""
