"""Fitting ask: what a fit of labels does not do by itself."""
