"""Metrics are entries of a registry, and say how they are to be read."""

from __future__ import annotations

import numpy as np
import pytest

from ravl.evaluation import is_percent, lower_is_better
from ravl.evaluation.generation.outputs import TextOutputs
from ravl.evaluation.metrics import Metric, builtin_metrics, defined
from ravl.evaluation.outputs import Outputs, checked


def test_the_names_of_each_kind_are_in_the_order_of_reports() -> None:
    found = {
        kind: [*_of(kind)] for kind in ("multiclass", "multilabel", "binary", "captions", "answers")
    }
    assert found == {
        "multiclass": ["accuracy", "macro_f1", "log_loss", "ECE", "coverage@5%risk"],
        "multilabel": ["mAP", "micro_f1", "macro_f1", "log_loss", "ECE"],
        "binary": ["AUC", "average_precision", "accuracy", "log_loss", "ECE"],
        "captions": [
            "CIDEr-D",
            *(f"BLEU-{n}" for n in (4, 3, 2, 1)),
            "ROUGE-L",
            "distinct-1",
            "distinct-2",
        ],
        "answers": ["accuracy", "F1", "VQA", "WUPS@0.9", "WUPS@0.0"],
    }


def _of(kind: str) -> dict[str, Metric[Outputs]]:
    return builtin_metrics(kind)


def test_which_are_shares_and_of_which_less_is_better() -> None:
    names = ("accuracy", "mAP", "ECE", "BLEU-4", "WUPS@0.0", "valid", "log_loss", "CIDEr-D", "MRR")
    assert [name for name in names if lower_is_better(name)] == ["ECE", "log_loss"]
    assert [name for name in names if is_percent(name)] == [*names[:6]]


def test_a_metric_that_is_not_defined_is_left_out() -> None:
    nothing = checked("multilabel", np.full((2, 3), 0.2), np.zeros((2, 3), np.int64))
    assert [*defined(_of("multilabel"), nothing)] == ["log_loss", "ECE"]
    alike = checked("binary", np.array([0.2, 0.8]), np.array([1, 1]))
    assert [*defined(_of("binary"), alike)] == ["accuracy", "log_loss", "ECE"]
    texts: dict[str, Metric[TextOutputs]] = builtin_metrics("answers")
    assert "VQA" not in defined(texts, TextOutputs(["yes"], [["yes", "no"]]))
    assert "VQA" in defined(texts, TextOutputs(["yes"], [["yes", "no", "no"]]))


@pytest.mark.parametrize("kind", ["multiclass", "captions"])
def test_labels_load_no_metric_of_texts(kind: str) -> None:
    """Only the modules of the kind that is asked for are imported."""
    import subprocess
    import sys

    code = (
        f"import sys; from ravl.evaluation.metrics import metrics_of; metrics_of({kind!r}); "
        "print('ravl.evaluation.generation.outputs' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(kind == "captions")
