"""Runs the training of a retriever through ``transformers.Trainer``: resume, best model, seeds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers import logging as hf_logging
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ravl.progress import Advance, progress_bar
from ravl.training.batches import PairData, Passes
from ravl.training.heads import RetrieverModel
from ravl.training.settings import RetrieverSettings

KEPT = 2  # checkpoints: the best one and the newest


def train(
    model: RetrieverModel, data: PairData, order: Passes, validate: Callable[[], float],
    folder: Path, settings: RetrieverSettings, show: bool | None,
) -> list[tuple[float, float]]:  # fmt: skip
    """Train the model in place, and leave it as it was when validation was best.

    Args:
        model: both heads.
        data: of all pairs.
        order: of the training pairs.
        validate: gives the score to be made large, with the model as it is.
        folder: for checkpoints; training goes on from the last one that is there.
        settings: of the optimiser.
        show: a progress bar, None for only on a terminal.

    Returns:
        The curve: seconds since the start and score, after each epoch.
    """
    batch = min(settings.batch_size, len(order))
    steps = settings.epochs * -(-len(order) // batch)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=batch,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=round(settings.warmup * steps),
        lr_scheduler_type="cosine",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=KEPT,
        load_best_model_at_end=True,
        metric_for_best_model="score",
        greater_is_better=True,
        logging_strategy="epoch",
        report_to="none",
        disable_tqdm=True,
        restore_callback_states_from_checkpoint=True,  # how long there was nothing better
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=not torch.cuda.is_available(),
        seed=settings.seed,
    )
    with _quiet(), progress_bar("Training", "steps", show) as advance:
        trainer = _Trainer(model, arguments, data, order, validate)
        trainer.add_callback(EarlyStoppingCallback(settings.patience))
        trainer.add_callback(_Bar(advance))
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    model.eval()
    return [
        (entry["seconds"], entry["eval_score"])
        for entry in trainer.state.log_history
        if "eval_score" in entry
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Else the library tells of its file system heuristics at each checkpoint."""
    verbosity = hf_logging.get_verbosity()
    hf_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        hf_logging.set_verbosity(verbosity)


def _last_checkpoint(folder: Path) -> str | None:
    """The newest one that was written to its end; a kill may have left half of one."""
    whole = []
    for file in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*/{TRAINER_STATE_NAME}"):  # written last
        with suppress(ValueError):
            whole.append((json.loads(file.read_text("utf-8"))["global_step"], str(file.parent)))
    return max(whole)[1] if whole else None


class _Trainer(Trainer):
    """The order and the score are ours; all else is the library's."""

    def __init__(
        self, model: RetrieverModel, arguments: TrainingArguments, data: PairData, order: Passes,
        validate: Callable[[], float],
    ) -> None:  # fmt: skip
        super().__init__(
            model,
            arguments,
            train_dataset=data,
            eval_dataset=data,
            data_collator=_as_it_is,
        )
        self._order = order
        self._validate = validate
        self._began = time.monotonic()

    def _get_train_sampler(self, *_: Any) -> Passes:
        return self._order

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score the model on the validation part."""
        assert self.model is not None
        self.model.eval()
        metrics = {
            "eval_score": self._validate(), "seconds": round(time.monotonic() - self._began, 1)
        }  # fmt: skip
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


def _as_it_is(batch: Any) -> Any:
    """The data set makes whole batches."""
    return batch


class _Bar(TrainerCallback):
    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self._advance(1, state.max_steps)
