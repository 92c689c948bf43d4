"""Towers: the networks of encoders as rows of layers, of which some can learn."""
