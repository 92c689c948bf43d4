"""Fitting match: whether a text fits a picture."""
