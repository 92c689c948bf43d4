"""What the graphs of an export are called, and their inputs."""

from __future__ import annotations

MANIFEST = "export.json"  # what makes a run's folder an export
FORMAT = 1  # of the manifest; raise when an older ravl would misread an export
FUSION, READ, WRITE, VISION = "fusion", "read", "write", "vision"  # graphs
BASE = "base.safetensors"  # the linear answer that the fusion model adds to
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
