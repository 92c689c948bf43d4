"""Runs and memories on their way: to a folder, an object store or the hub, and back."""
