"""Models that learn from a memory: heads on its features, and networks that are tuned on it."""
