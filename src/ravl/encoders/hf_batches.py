"""The batch size of a network, and what to do if the batch does not fit in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ravl.encoders.base import Array
from ravl.errors import EncoderError

T = TypeVar("T")

LARGEST = 64
LARGEST_ON_CPU = 16  # CLIP B/32 on 2 cores: 16 pictures/s in batches of 8 to 32, 11 in those of 64
SHARE = 0.25  # share of the free memory; the estimate is rough, and other programs need memory, too
_UNKNOWN = 4 * 2**30  # assumed free bytes if the system does not report them


def fitting_batch(vision: nn.Module, tokens: int, device: torch.device) -> int:
    """The number of pictures that fit in the free memory, 1 to 64 (16 on a CPU), estimated.

    Args:
        vision: the configuration of the picture tower.
        tokens: the number of tokens of one picture.
        device: where the network runs.
    """
    width = int(getattr(vision, "hidden_size", 768))
    wide = int(getattr(vision, "intermediate_size", 4 * width))
    heads = int(getattr(vision, "num_attention_heads", 12))
    # Of one layer, in float32: states, query, key, value, the MLP twice, attention twice.
    one = 4 * (tokens * (8 * width + 2 * wide) + 2 * heads * tokens**2)
    largest = LARGEST_ON_CPU if device.type == "cpu" else LARGEST
    return max(1, min(largest, int(SHARE * _free_bytes(device) / one)))


def run_in_batches(
    run: Callable[[Sequence[T]], Tensor], items: Sequence[T], size: int
) -> tuple[Array, int]:
    """Run a network over all items without gradients, halving the batch when memory runs out.

    Args:
        run: one batch of m items -> a tensor (m, ...).
        items: at least one.
        size: the first batch size.

    Returns:
        The results of all items (n, ...), float32, and a batch size that worked.

    Raises:
        EncoderError: even one item does not fit in memory.
    """
    parts: list[Tensor] = []
    done = 0
    while done < len(items):
        batch = items[done : done + size]
        try:
            with torch.inference_mode():
                parts.append(run(batch).float().cpu())
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise EncoderError(
                    "The model does not fit in the free memory, even with one picture or text at a "
                    "time. Close other programs, or choose a smaller model."
                ) from error
            size = len(batch) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        done += len(batch)
    return torch.cat(parts).numpy(), size


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()  # on the CPU torch has no special class for this error
    return "out of memory" in text or "can't allocate memory" in text


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on every system
        return _UNKNOWN
    try:  # a container can have less memory than the machine
        root = Path("/sys/fs/cgroup")
        limit = int((root / "memory.max").read_text())
        return max(1, min(free, limit - int((root / "memory.current").read_text())))
    except (OSError, ValueError):  # no such limit
        return max(1, free)
