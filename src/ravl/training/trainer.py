"""The training loop, by ``transformers.Trainer``: resume, best model, early stopping, seeds."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ravl.errors import DivergedError
from ravl.models.silence_transformers import silence_transformers
from ravl.progress import Advance, progress_bar
from ravl.training.loop_settings import LoopSettings
from ravl.training.processes import of_main_process, process_count

KEPT = 2  # checkpoints: the best one and the newest
SLOW = 0.1  # share of the learning rate for pretrained weights beside new ones

NO_NUMBER = (
    "The loss is no longer a number. Train with a lower --learning-rate; if that does not help, "
    "the features of a picture are broken: ravl reembed computes them anew."
)


class Order(Protocol):
    """A sampler that knows how many positions it gives, and whose epoch the trainer sets."""

    def __len__(self) -> int:
        """Positions of an epoch."""

    def __iter__(self) -> Iterator[int]:
        """The epoch's order."""

    def set_epoch(self, epoch: int) -> None:
        """Which epoch is next."""


def train(
    model: nn.Module,
    data: Dataset[Any],
    order: Order,
    validate: Callable[[], float],
    folder: Path,
    settings: LoopSettings,
    show: bool | None,
    what: str = "Training",
    slow: Sequence[tuple[Sequence[nn.Parameter], float]] = (),
    logs: Path | None = None,
) -> list[tuple[float, float]]:
    """Train the model in place, and leave it as it was when validation was best.

    Args:
        model: whose forward takes what ``data`` gives and returns a loss; parameters that are
            frozen stay as they are.
        data: makes whole batches from a list of positions.
        order: of the training examples' positions, anew in each epoch.
        validate: gives the score to be made large, with the model as it is.
        folder: for checkpoints; training continues from the last one that is there.
        settings: of the optimiser.
        show: a progress bar, None for only on a terminal.
        what: the bar is called.
        slow: parameters that know much already, with the share of the learning rate that they
            learn at.
        logs: folder for TensorBoard; None, or without the package ``tensorboard``, keeps none.

    Returns:
        The curve: seconds since the start and score, after each epoch.
    """
    batch = min(settings.batch_size, len(order))
    steps = settings.epochs * -(-len(order) // (batch * process_count()))
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=batch,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="sgd" if settings.optimiser == "sgd" else "adamw_torch",
        optim_args="momentum=0.9" if settings.optimiser == "sgd" else None,
        warmup_steps=round(settings.warmup * steps),
        lr_scheduler_type="cosine",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=KEPT,
        load_best_model_at_end=True,
        metric_for_best_model="score",
        greater_is_better=True,
        logging_strategy="epoch",
        report_to=["tensorboard"] if logs and find_spec("tensorboard") else "none",
        disable_tqdm=True,
        restore_callback_states_from_checkpoint=True,  # how long there was nothing better
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=not torch.cuda.is_available(),
        bf16=settings.precision == "mixed" or (settings.precision == "auto" and has_bfloat16()),
        seed=settings.seed,
    )
    with silence_transformers(), _logged_in(logs), progress_bar(what, "steps", show) as advance:
        trainer = _Trainer(model, arguments, data, order, validate, slow)
        trainer.add_callback(EarlyStoppingCallback(settings.patience))
        trainer.add_callback(_Bar(advance, trainer))
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        try:
            trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
        except RuntimeError as error:  # of an optimiser whose step is no float32 any more
            if "overflow" in str(error):
                raise DivergedError(NO_NUMBER) from error
            raise
    model.eval()
    return [
        (entry["seconds"], entry["eval_score"])
        for entry in trainer.state.log_history
        if "eval_score" in entry
    ]


def has_bfloat16() -> bool:
    """True where matrix products in bfloat16 are faster: 4 times on a processor with AVX-512."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return supported is not None and bool(supported())


@contextmanager
def _logged_in(folder: Path | None) -> Iterator[None]:
    """TensorBoard's files go there; the library takes the place from the environment."""
    name = "TENSORBOARD_LOGGING_DIR"
    before = os.environ.get(name)
    if folder is not None:
        os.environ[name] = str(folder)
    try:
        yield
    finally:
        if folder is not None:
            os.environ.pop(name, None)
            if before is not None:
                os.environ[name] = before


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
        self,
        model: nn.Module,
        arguments: TrainingArguments,
        data: Dataset[Any],
        order: Order,
        validate: Callable[[], float],
        slow: Sequence[tuple[Sequence[nn.Parameter], float]],
    ) -> None:
        super().__init__(
            model,
            arguments,
            train_dataset=data,
            eval_dataset=data,
            data_collator=_as_it_is,
        )
        self._order = order
        self._validate = validate
        self._shares = {id(p): share for parameters, share in slow for p in parameters}
        self._began = time.monotonic()
        self.loss = 0.0  # of the last step

    def _get_train_sampler(self, *_: object) -> Any:
        return self._order

    def create_optimizer(self, *args: object) -> torch.optim.Optimizer:
        """As the library makes it, but with a share of the rate for the slow parameters."""
        made = self.optimizer is not None
        optimiser: torch.optim.Optimizer = super().create_optimizer(*args)
        for group in list(optimiser.param_groups) if not made else ():
            for share in sorted(set(self._shares.values())):
                slow = [p for p in group["params"] if self._shares.get(id(p)) == share]
                if slow:
                    others = [p for p in group["params"] if self._shares.get(id(p)) != share]
                    group["params"] = others
                    rate = group["lr"] * share
                    optimiser.add_param_group({**group, "params": slow, "lr": rate})
        return optimiser

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """One step; a loss that is no number stops everything before it is learned from."""
        loss: Tensor = super().training_step(*args, **kwargs)
        self.loss = float(loss)
        if not isfinite(self.loss):
            raise DivergedError(NO_NUMBER)
        return loss

    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """Score the model on the validation split."""
        assert self.model is not None
        self.model.eval()
        score = of_main_process(self._validate())
        if not isfinite(score):  # the last step of an epoch may break what no loss sees any more
            raise DivergedError(NO_NUMBER)
        metrics = {"eval_score": score, "seconds": round(time.monotonic() - self._began, 1)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


def _as_it_is(batch: object) -> Any:
    """The data set makes whole batches."""
    return batch


class _Bar(TrainerCallback):
    def __init__(self, advance: Advance, trainer: _Trainer) -> None:
        self._advance = advance
        self._trainer = trainer

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002 (of the library)
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002 (the same)
        **kwargs: object,  # noqa: ARG002 (the same)
    ) -> None:
        self._advance(1, state.max_steps, f"loss {self._trainer.loss:.3f}")
