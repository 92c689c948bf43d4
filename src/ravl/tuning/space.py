"""What a search tries, read from a YAML file and checked, and the study of what was tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, get_type_hints

from ravl import addresses
from ravl.errors import DataError, RavlError
from ravl.evaluation import lower_is_better
from ravl.files.whole_file import write_bytes
from ravl.json_types import JsonObject
from ravl.runs.format1 import renamed_settings
from ravl.training.loop_settings import LoopSettings

if TYPE_CHECKING:
    from optuna import Trial

LEVELS = ("vote", "linear", "fusion", "generator")  # of a model; each builds on those before it
KINDS = ("choices", "int", "float", "log")
FIXED = (  # by these trials would not be comparable, or they change the report only
    "seed",
    "min_examples",
    "column",
    "validation_share",
    "test_share",
    "add_to_memory",
    "prompt_templates",
    "target_risk",
    "target",
    "compare",
    "use_generated",
    "answers",
)
TIES = 0.01  # of the log loss, which tells trials apart that are right equally often
ATTEMPTS = 3  # at a trial that is interrupted each time, until it counts as failed
MATTERED = 5  # complete trials, from which it is said what mattered
BLOCKS = f"it must hold a block of settings for any of: {', '.join(LEVELS)}."
Value = Any  # of a setting: a number, a text, or true or false
EXAMPLES = "such as {choices: [8, 16]} or {log: [0.0001, 0.01]}"


@dataclass(frozen=True, slots=True)
class Range:
    """What is tried for one setting.

    Args:
        kind: one of ``KINDS``.
        values: the choices, or the lower and the upper end.
    """

    kind: str
    values: tuple[Value, ...]

    def suggest(self, trial: Trial, name: str) -> Value:
        """A value for a trial of Optuna."""
        if self.kind == "choices":
            return trial.suggest_categorical(name, self.values)
        low, high = self.values
        suggest = trial.suggest_int if isinstance(low, int) else trial.suggest_float
        return suggest(name, low, high, log=self.kind == "log")


@dataclass(frozen=True)
class Space:
    """Ranges by level, of ``LEVELS``, and setting."""

    levels: Mapping[str, Mapping[str, Range]]

    def ranges(self, model: str) -> dict[str, Range]:
        """All that a model of this level depends on."""
        count = LEVELS.index(model) + 1 if model in LEVELS else len(LEVELS)
        return {
            name: r for level in LEVELS[:count] for name, r in self.levels.get(level, {}).items()
        }

    def suggest(self, trial: Trial, model: str) -> dict[str, Value]:
        """Settings for a trial; those of the levels that its model has, where that varies too."""
        found, ranges = {}, self.ranges(model)
        if "model" in ranges:
            found["model"] = ranges["model"].suggest(trial, "model")
            ranges = self.ranges(found["model"])
        return found | {n: r.suggest(trial, n) for n, r in ranges.items() if n != "model"}

    def to_json(self) -> JsonObject:
        """As plain JSON types, as in the file."""
        return {
            level: {name: {r.kind: list(r.values)} for name, r in ranges.items()}
            for level, ranges in self.levels.items()
        }


def read_space(file: Path, kind: type[LoopSettings], fixed: Mapping[str, Value]) -> Space:
    """The space in a file, without what has a fixed value.

    Args:
        file: YAML, explained in ``training/search_space.yaml``.
        kind: the class of the settings.
        fixed: settings that are not searched.

    Raises:
        DataError: the file cannot be read, names an unknown setting, has a range that is not valid,
            or leaves nothing to search.
    """
    levels: dict[str, dict[str, Range]] = {}
    hints, allowed = get_type_hints(kind), [f.name for f in fields(kind) if f.name not in FIXED]
    for level, settings in _mapping(file).items():
        if level not in LEVELS or not isinstance(settings, dict):
            raise DataError(f"{file} has {level!r}: {settings!r}; {BLOCKS}")
        levels[level] = {}
        for name, given in renamed_settings(settings, hints).items():
            if name not in allowed:
                raise DataError(
                    f"{file} names {name!r}, which is nothing that trials can differ in; there "
                    f"are: {', '.join(allowed)}."
                )
            found = _range(f"{name} in {file}", given, hints[name])
            for value in found.values:
                try:  # the settings themselves know what they allow
                    kind(**{**fixed, name: value})
                    addresses.check_settings({name: value}, f"The file {file}")
                except DataError as error:
                    raise DataError(f"{file} tries what is not allowed: {error}") from error
            if name not in fixed:
                levels[level][name] = found
    space = Space(levels)
    model = str(fixed.get("model", "auto"))
    if not space.ranges(model):
        raise DataError(
            f"Nothing is left to search for the model {model!r}: {file} has no setting for it "
            "that is not given a fixed value. Fix fewer, or add some to a file for --space."
        )
    return space


def _mapping(file: Path) -> JsonObject:
    import yaml

    try:
        found = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"The space in {file} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is not valid YAML: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{file} holds {type(found).__name__}; {BLOCKS}")
    return found


def _range(where: str, given: object, hint: object) -> Range:
    """One range, with values of the setting's own type."""
    if not isinstance(given, dict) or len(given) != 1:
        raise DataError(f"{where} is {given!r}; it must be one of {', '.join(KINDS)}, {EXAMPLES}.")
    ((kind, listed),) = given.items()
    allowed = ["choices"]
    if hint in (int, float):
        allowed += [hint.__name__, "log"]
    if kind not in allowed:
        raise DataError(f"{where} is of the kind {kind!r}; it can be: {', '.join(allowed)}.")
    if not isinstance(listed, list) or not listed:
        raise DataError(f"{where} lists {listed!r}; it must list values, {EXAMPLES}.")
    values = tuple(_value(where, value, hint) for value in listed)
    if kind == "choices":
        return Range(kind, tuple(dict.fromkeys(values)))
    if len(values) != 2 or not values[0] < values[1] or (kind == "log" and values[0] <= 0):
        ends = "a lower and a higher end" + (", both above 0" if kind == "log" else "")
        raise DataError(f"{where} goes over {listed}; it must have {ends}.")
    return Range(kind, values)


def _value(where: str, value: object, hint: object) -> Value:
    """A value as the setting has it; YAML takes 1e-4 for a text, and yes and no for truth."""
    with suppress(ValueError):
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            if hint is float:
                return float(value)
            if hint is int and not isinstance(value, str) and value == int(value):
                return int(value)
    if hint is bool and isinstance(value, bool):
        return value
    if hint not in (int, float, bool) and isinstance(value, str | bool):
        return value if isinstance(value, str) else "yes" if value else "no"
    names: dict[object, str] = {int: "whole numbers", float: "numbers", bool: "true or false"}
    wanted = names.get(hint, "texts")
    raise DataError(f"{where} lists {value!r}; its values must be {wanted}.")


STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
Report = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial.

    Args:
        number: from 1.
        state: complete, pruned (stopped early, since others were better by then) or failed.
        score: that it is compared by: its measure, less a hundredth of its log loss; None where it
            is not complete.
        scores: metrics on the validation split.
        seconds: it took.
        parameters: that were tried.
        error: why it failed.
    """

    number: int
    state: str
    score: float | None
    scores: dict[str, float]
    seconds: float
    parameters: dict[str, Value]
    error: str = ""


class Study:
    """The trials, in a journal; what was tried when it was killed is to be tried again.

    Args:
        optuna: the package, which is an optional extra.
        file: the journal, new or to go on with.
        seed: of what is drawn.
    """

    def __init__(self, optuna: ModuleType, file: Path, seed: int = 0) -> None:
        self._optuna, self._seed = optuna, seed
        journal, logging, states = optuna.storages.journal, optuna.logging, optuna.trial.TrialState
        whole = file.read_bytes() if file.exists() else b""
        if not whole.endswith(b"\n"):  # nothing may follow half a line, as a full disk leaves it
            write_bytes(file, whole[: whole.rfind(b"\n") + 1])
        lock = journal.JournalFileOpenLock(str(file))
        storage = journal.JournalStorage(journal.JournalFileBackend(str(file), lock))
        before = logging.get_verbosity()
        logging.set_verbosity(logging.WARNING)  # else it tells that there is a study
        self._study = optuna.create_study(
            storage=storage,
            study_name="ravl",
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_warmup_steps=2),  # not after the first epoch
        )
        logging.set_verbosity(before)
        for frozen in self._study.get_trials(states=(states.RUNNING,)):
            trial = optuna.trial.Trial(self._study, frozen._trial_id)
            attempt = frozen.user_attrs.get("attempt", 1)
            if attempt < ATTEMPTS:
                self._study.enqueue_trial(frozen.params, user_attrs={"attempt": attempt + 1})
            else:
                trial.set_user_attr("error", "It was interrupted each time.")
            self._study.tell(trial, state=states.FAIL)

    def ended(self) -> list[Tried]:
        """The trials that count; not those that were interrupted and are tried again."""
        found: list[Tried] = []
        for trial in self._study.get_trials(deepcopy=False):
            state, attributes = STATES.get(trial.state.name), trial.user_attrs
            if state and (state != "failed" or "error" in attributes):
                found.append(
                    Tried(
                        len(found) + 1,
                        state,
                        trial.value if state == "complete" else None,
                        attributes.get("scores", {}),
                        round(trial.duration.total_seconds(), 1),
                        trial.params,
                        attributes.get("error", ""),
                    )
                )
        return found

    def best(self) -> Tried | None:
        """The first of the best trials."""
        complete = [trial for trial in self.ended() if trial.score is not None]
        return max(complete, key=lambda trial: trial.score or 0, default=None)

    def run(
        self,
        fit: Callable[[dict[str, Value], Report], dict[str, float]],
        space: Space,
        model: str,
        measure: str,
    ) -> None:
        """One trial. What is no RavlError stops the search, and the trial is tried again.

        Args:
            fit: takes settings, and what to tell the score after each epoch; gives metrics.
            space: of the settings.
            model: whose settings are tried.
            measure: the metric that is compared.
        """
        ended = self.ended()
        # Its seed depends on what has ended, so that an interrupted search goes the same way.
        self._study.sampler = self._optuna.samplers.TPESampler(seed=self._seed + 1000 * len(ended))
        trial, states, epochs = self._study.ask(), self._optuna.trial.TrialState, count(1)

        def report(score: float) -> None:
            trial.report(score, next(epochs))
            if trial.should_prune():
                raise self._optuna.TrialPruned

        try:
            chosen = space.suggest(trial, model)
            same = [t.scores for t in ended if t.scores and t.parameters == trial.params]
            scores = same[0] if same else fit(chosen, report)
        except self._optuna.TrialPruned:
            self._study.tell(trial, state=states.PRUNED)
        except RavlError as error:
            trial.set_user_attr("error", str(error))
            self._study.tell(trial, state=states.FAIL)
        else:
            trial.set_user_attr("scores", scores)
            found = scores.get(measure, 0.0)
            better = -found if lower_is_better(measure) else found
            self._study.tell(trial, better - TIES * scores.get("log_loss", 0.0))

    def importances(self) -> list[tuple[str, float]]:
        """How much each setting mattered, as shares; empty if that cannot be measured."""
        scores = [trial.score for trial in self.ended() if trial.score is not None]
        if len(scores) < MATTERED or len(set(scores)) == 1:
            return []
        importance = self._optuna.importance
        found = importance.get_param_importances(
            self._study, evaluator=importance.FanovaImportanceEvaluator(seed=0)
        )
        return [(name, float(share)) for name, share in found.items()]
