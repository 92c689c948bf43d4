"""One trial of a search for settings: a fit whose score is that of the validation split."""

from __future__ import annotations

from pathlib import Path

from ravl.memory import Memory
from ravl.tasks import registry
from ravl.training.engine import AnyRecipe
from ravl.training.loop_settings import LoopSettings
from ravl.tuning.space import Report


def recipe_of(task: str, memory: Memory, settings: LoopSettings) -> AnyRecipe:
    """The recipe of a task with these settings, which may choose between two tasks of one name."""
    return registry.choose(task, settings.to_json()).recipe(memory, settings)


def score(recipe: AnyRecipe, data: object, folder: Path, report: Report) -> dict[str, float]:
    """Fit once, and score the level that would be kept on the validation split.

    Args:
        recipe: with the settings of the trial.
        data: of the search, without its test split.
        folder: for the state from which an interrupted fit continues.
        report: is called with the validation score after each epoch of what takes long; what it
            raises ends the trial.
    """
    data, fitted = recipe.fit_levels(recipe.with_settings(data), folder, False, report)
    return recipe.validation_scores(data, fitted)
