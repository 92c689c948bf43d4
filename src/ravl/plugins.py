"""Extension points: what ravl looks up by name, its own parts and those of installed packages.

A package adds a part with an entry point of one of the groups below, see
``docs/how-to/plugins.md``. The builtin parts stand in a table of the same form. Installed packages
are looked at only for a name that is not builtin, and where all names are asked for.

A memory, a run or a setting gives a *name*, never a module. The modules come from the table and
from the metadata of the packages that the user installed, and from nowhere else.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, reduce
from importlib import import_module

from ravl._version import __version__
from ravl.errors import PluginError

TASKS = "ravl.tasks"
ENCODERS = "ravl.encoders"
READERS = "ravl.readers"
GENERATORS = "ravl.generators"
METRICS = "ravl.metrics"

# Group -> name -> "module:attribute", in the order in which they are listed and tried.
BUILTIN: Mapping[str, Mapping[str, str]] = {
    TASKS: {
        "search": "ravl.tasks.search.task:SearchTask",
        "match": "ravl.tasks.match.task:MatchTask",
        "classify": "ravl.tasks.labels.task:ClassifyTask",
        "tag": "ravl.tasks.labels.task:TagTask",
        "caption": "ravl.tasks.caption.task:CaptionTask",
        "ask": "ravl.tasks.ask.task:AskTask",
        "ask_open": "ravl.tasks.ask.task:OpenAskTask",
    },
    ENCODERS: {
        "builtin": "ravl.encoders.builtin:BuiltinEncoder",
        "multilingual": "ravl.encoders.multilingual:MultilingualEncoder",
        "hf": "ravl.encoders.hf:HFEncoder",
        "run": "ravl.encoders.trained:TrainedEncoder",
        "trained": "ravl.encoders.trained:TrainedEncoder",
    },
    READERS: {
        "export": "ravl.data.readers.builtin:ExportReader",
        "hf": "ravl.data.readers.builtin:HuggingFaceReader",
        "table": "ravl.data.readers.builtin:TableReader",
        "json": "ravl.data.readers.builtin:JsonReader",
        "folder": "ravl.data.readers.builtin:FolderReader",
    },
    GENERATORS: {
        "hf": "ravl.models.generation.loading:of_hub",
        "openai": "ravl.models.generation.loading:of_server",
    },
    METRICS: {  # the kind of outputs that a metric measures stands before the dot
        "multiclass.accuracy": "ravl.evaluation.answers:ACCURACY",
        "multiclass.macro_f1": "ravl.evaluation.answers:MACRO_F1_OF_LABELS",
        "multiclass.log_loss": "ravl.evaluation.answers:LOG_LOSS",
        "multiclass.ECE": "ravl.evaluation.answers:ECE",
        "multiclass.coverage@5%risk": "ravl.evaluation.answers:COVERAGE",
        "multilabel.mAP": "ravl.evaluation.answers:MEAN_AVERAGE_PRECISION",
        "multilabel.micro_f1": "ravl.evaluation.answers:MICRO_F1",
        "multilabel.macro_f1": "ravl.evaluation.answers:MACRO_F1",
        "multilabel.log_loss": "ravl.evaluation.answers:LOG_LOSS",
        "multilabel.ECE": "ravl.evaluation.answers:ECE",
        "binary.AUC": "ravl.evaluation.answers:AUC",
        "binary.average_precision": "ravl.evaluation.answers:AVERAGE_PRECISION",
        "binary.accuracy": "ravl.evaluation.answers:ACCURACY",
        "binary.log_loss": "ravl.evaluation.answers:LOG_LOSS",
        "binary.ECE": "ravl.evaluation.answers:ECE",
        "captions.CIDEr-D": "ravl.evaluation.generation.outputs:CIDER_D",
        "captions.BLEU-4": "ravl.evaluation.generation.outputs:BLEU_4",
        "captions.BLEU-3": "ravl.evaluation.generation.outputs:BLEU_3",
        "captions.BLEU-2": "ravl.evaluation.generation.outputs:BLEU_2",
        "captions.BLEU-1": "ravl.evaluation.generation.outputs:BLEU_1",
        "captions.ROUGE-L": "ravl.evaluation.generation.outputs:ROUGE_L",
        "captions.distinct-1": "ravl.evaluation.generation.outputs:DISTINCT_1",
        "captions.distinct-2": "ravl.evaluation.generation.outputs:DISTINCT_2",
        "answers.accuracy": "ravl.evaluation.generation.outputs:EXACT",
        "answers.F1": "ravl.evaluation.generation.outputs:F1",
        "answers.VQA": "ravl.evaluation.generation.outputs:VQA",
        "answers.WUPS@0.9": "ravl.evaluation.generation.outputs:WUPS_09",
        "answers.WUPS@0.0": "ravl.evaluation.generation.outputs:WUPS_00",
    },
}


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry of an extension point.

    Args:
        group: of the constants above, such as ``"ravl.encoders"``.
        name: that it is asked for by.
        target: where it is, as ``"module:attribute"``.
        package: the name of the distribution that brings it.
        version: of that distribution.
        problem: why it cannot be used, as a sentence; empty where it can be.
    """

    group: str
    name: str
    target: str
    package: str
    version: str
    problem: str = ""


def names(group: str) -> tuple[str, ...]:
    """All names of a group that can be loaded: builtin ones in their order, then installed ones."""
    usable = (plugin.name for plugin in installed(group) if not plugin.problem)
    return (*BUILTIN[group], *usable)


def load(group: str, name: str, usage: str = "") -> object:
    """What stands behind a name: the object that the entry point names, imported when asked for.

    Args:
        group: of the constants above.
        name: of the entry.
        usage: a sentence for the error about an unknown name: what to write instead.

    Raises:
        PluginError: no installed package has this name, two packages have it, or its module cannot
            be imported.
    """
    if name in BUILTIN[group]:
        return _imported(BUILTIN[group][name])
    found = next((plugin for plugin in installed(group) if plugin.name == name), None)
    if found is None:
        raise PluginError(
            f"There is no {_kind(group)} {name!r}. There are {', '.join(names(group))}."
            f"{usage and f' {usage}'} If {name!r} is of a package, install that package; "
            "`ravl info --plugins` lists what is installed."
        )
    if found.problem:
        raise PluginError(found.problem)
    try:
        return _imported(found.target)
    except Exception as error:
        raise PluginError(
            f"The package {found.package} {found.version} adds the {_kind(group)} {name!r}, but "
            f"{found.target} cannot be imported: {type(error).__name__}: {error}. Repair or remove "
            "the package."
        ) from error


def listed() -> tuple[Plugin, ...]:
    """Every entry of every group, builtin and installed, with those that cannot be used."""
    own = (
        Plugin(group, name, target, "ravl", __version__)
        for group, table in BUILTIN.items()
        for name, target in table.items()
    )
    return (*own, *(plugin for group in BUILTIN for plugin in installed(group)))


def installed(group: str) -> tuple[Plugin, ...]:
    """The entries that installed packages add to a group, sorted by name and package.

    An entry with the name of a builtin one, or with a name that two packages have, has a
    ``problem``. A warning says so the first time.
    """
    return _installed(group, tuple(sys.path))


@cache
def _installed(group: str, path: tuple[str, ...]) -> tuple[Plugin, ...]:  # noqa: ARG001 (the key)
    from importlib import metadata  # 20 ms, which `ravl --help` can do without

    points = {
        (point.name, point.dist.name, point.dist.version, point.value)
        for point in metadata.entry_points(group=group)
        if point.dist is not None
    }
    owners: dict[str, list[str]] = {}
    for name, package, *_ in sorted(points):
        owners.setdefault(name, []).append(package)
    found = tuple(
        Plugin(group, name, target, package, version, _problem(group, name, owners[name]))
        for name, package, version, target in sorted(points)
    )
    for problem in dict.fromkeys(plugin.problem for plugin in found if plugin.problem):
        warnings.warn(problem, stacklevel=3)
    return found


def _problem(group: str, name: str, owners: list[str]) -> str:
    if name in BUILTIN[group]:
        return (
            f"The package {' and '.join(owners)} adds the {_kind(group)} {name!r}, but ravl has a "
            "builtin one of that name. ravl uses its own, and ignores that of the package."
        )
    if len(owners) > 1:
        return (
            f"The packages {' and '.join(owners)} both add the {_kind(group)} {name!r}. ravl uses "
            "neither: uninstall all but one."
        )
    return ""


def _kind(group: str) -> str:
    return group.removeprefix("ravl.").removesuffix("s")


def _imported(target: str) -> object:
    module, _, attribute = target.partition(":")
    return reduce(getattr, attribute.split("."), import_module(module))
