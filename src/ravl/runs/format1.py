"""What runs of format 1 (ravl 0.1) called otherwise, and how such a run is read.

A run of format 1 stays as it is on disk. Its ``run.json`` and ``settings.yaml`` are translated when
they are read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ravl.json_types import JsonObject, JsonRecord

DECODING = {  # of ``how`` in run.json: name in format 1 -> name now
    "beams": "num_beams",
    "candidates": "num_return_sequences",
    "longest": "max_new_tokens",
    "shortest": "min_new_tokens",
    "sample": "do_sample",
    "no_repeat": "no_repeat_ngram_size",
}
SETTINGS = {  # of settings.yaml: name in format 1 -> name now
    "beams": "num_beams",
    "longest": "max_new_tokens",
    "evidence": "num_evidence",
    "language": "tune_language_model",
    "vision": "tune_vision",
    "text": "tune_text",
    "smoothing": "label_smoothing",
    "noise": "retrieval_noise",
    "clip": "max_grad_norm",
    "mirror": "horizontal_flip",
    "reworded": "paraphrase",
    "share": "trained_weight",
    "spread": "propagate_labels",
    "templates": "prompt_templates",
    "fewest": "min_examples",
    "risk": "target_risk",
    "remember": "add_to_memory",
    "generated": "use_generated",
}


def renamed(found: JsonRecord, names: Mapping[str, str]) -> JsonObject:
    """The same values by the names of now; ``names`` maps a name of format 1 to the name of now."""
    return {names.get(name, name): value for name, value in found.items()}


def renamed_settings(found: JsonRecord, known: Collection[str]) -> JsonObject:
    """Settings of a file by the names of now.

    Args:
        found: settings by name, as they stand in the file.
        known: names of the settings that there are; a name that one of them has is not changed.
    """
    names = {old: new for old, new in SETTINGS.items() if old not in known and new in known}
    return renamed(found, names)


def upgraded(record: JsonRecord) -> JsonObject:
    """``run.json`` of format 1 as one of format 2."""
    new = {**record, "format": 2}
    if "how" in record:
        new["how"] = renamed(record["how"], DECODING)
    return new
