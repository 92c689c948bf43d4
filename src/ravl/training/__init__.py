"""The engine of fitting: examples, splits, settings, the training loop, the run's folder."""
