"""Contrastive losses over a batch of picture-text pairs, aware of pairs that belong together."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

NEVER = -1e4  # a score that no softmax looks at, and that float16 can hold


def info_nce(scores: Tensor, positives: Tensor) -> Tensor:
    """Symmetric InfoNCE (van den Oord et al. 2018; Radford et al. 2021).

    A text of another pair that fits the picture as well (the same words, the same picture, a
    near-duplicate) is neither the target nor a negative: it is left out.

    Args:
        scores: of picture i and text j, times the inverse temperature, (b, b).
        positives: True where picture i and text j belong together, (b, b); its diagonal is True.
    """
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    scores = scores.masked_fill(positives & ~own, NEVER)
    target = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


def distilled(scores: Tensor, teacher: Tensor) -> Tensor:
    """How far both ways' preferences are from a teacher's (Hinton et al. 2015; Wu et al. 2023).

    Args:
        scores: of picture i and text j, times the inverse temperature, (b, b).
        teacher: the same by a stronger encoder, (b, b).
    """
    ways = [
        F.kl_div(own.log_softmax(1), theirs.softmax(1), reduction="batchmean")
        for own, theirs in ((scores, teacher), (scores.T, teacher.T))
    ]
    return torch.stack(ways).mean()


def sigmoid_loss(scores: Tensor, positives: Tensor, bias: Tensor) -> Tensor:
    """Every picture and text judged for itself (Zhai et al. 2023, SigLIP).

    Args:
        scores: of picture i and text j, times the inverse temperature, (b, b).
        positives: True where picture i and text j belong together, (b, b).
        bias: learned, a scalar; starts low, since nearly all pairs are negatives.
    """
    signs = positives.to(scores.dtype) * 2 - 1
    return -F.logsigmoid(signs * (scores + bias)).sum() / len(scores)
