"""Towers: the networks of encoders as rows of layers; some layers can be fine-tuned."""
