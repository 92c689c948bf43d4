"""Keeps a training from its end, so that it can be killed however slow the machine is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from tests.waiting import PATIENCE, pause


def wait_at(step: int, inside: str = "") -> None:
    """Let trainings of this process wait for ever, once this step is saved.

    Args:
        step: of the training.
        inside: only those whose files lie in a folder of this name; "" for all.
    """
    trainer: Any = transformers.Trainer
    save = trainer._save_checkpoint

    def saved(self: Any, *args: Any, **options: Any) -> Any:
        done = save(self, *args, **options)
        here = not inside or inside in Path(self.args.output_dir).parts
        while here and self.state.global_step >= step:
            pause(PATIENCE)
        return done

    trainer._save_checkpoint = saved
