"""Checking a memory: find rows that are likely wrong, with reasons and fixes."""
