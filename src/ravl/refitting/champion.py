"""The run that is fitted again: its task, its settings, and what its task says about a refit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ravl.runs.run import Run
from ravl.tasks import registry
from ravl.tasks.contract import Task
from ravl.tasks.fit import kept_settings
from ravl.tasks.model import Model
from ravl.training.refit_hooks import RefitHooks


@dataclass(frozen=True, eq=False)
class Champion:
    """A run that answers so far.

    Args:
        model: that is loaded.
        run: of the model.
        task: of the run.
        settings: that the run was fitted with.
        hooks: of the task, for this run.
    """

    model: Model
    run: Run
    task: Task
    settings: Any  # of the task: it has shares of splits
    hooks: RefitHooks

    @classmethod
    def of(cls, model: Model) -> Champion:
        """The champion that a loaded run is.

        Raises:
            DataError: runs of its task are not refitted, or its settings are missing or damaged.
        """
        assert model.run is not None
        task = registry.of_run(model.run)
        hooks = task.refit(model.predictor)
        settings = kept_settings(task, model.run.folder / "settings.yaml")
        return cls(model, model.run, task, settings, hooks)
