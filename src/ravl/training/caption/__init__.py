"""Fitting caption: texts about pictures, written with the neighbours' texts as evidence."""
