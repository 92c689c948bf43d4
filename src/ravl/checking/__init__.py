"""Checking a memory: what in it is likely wrong, why, and how to put it right."""
