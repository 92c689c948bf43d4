"""Keeps a training from its end, so that it can be killed however slow the machine is."""

from __future__ import annotations

from typing import Any

import transformers

from tests.waiting import PATIENCE, pause


def wait_at(step: int) -> None:
    """Let every training of this process wait for ever, once this step is saved."""
    trainer: Any = transformers.Trainer
    save = trainer._save_checkpoint

    def saved(self: Any, *args: Any, **options: Any) -> Any:
        done = save(self, *args, **options)
        while self.state.global_step >= step:
            pause(PATIENCE)
        return done

    trainer._save_checkpoint = saved
