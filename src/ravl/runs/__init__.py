"""Runs: the folders that fits leave, and what answers from them: answers, evidence, networks."""
