"""Fitting classify and tag: ground, levels, fusion, judging, page."""
