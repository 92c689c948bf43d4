"""The names of the graphs of an export, and of their inputs."""

from __future__ import annotations

MANIFEST = "export.json"  # the file that marks a folder as an export
FORMAT = 1  # format of the manifest; increase when an older ravl would misread an export
FUSION, READ, WRITE, VISION = "fusion", "read", "write", "vision"  # graphs
BASE = "base.safetensors"  # the linear base answer of the fusion model
ENCODER = "encoder"  # folder of the builtin encoder's files

# Inputs of the neighbours, in this order; see ravl.models.fusion.FusionEncoder.read.
NEAR = (
    "near_features",
    "near_labels",
    "near_texts",
    "near_likeness",
    "near_picture",
    "near_label",
    "near_text",
)
