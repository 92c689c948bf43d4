"""Models that are trained on a memory: heads on its features, and fine-tuned networks."""
