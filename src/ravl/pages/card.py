"""The model card of a run: ``README.md``, for people who get only its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from ravl.evaluation import Score, is_percent, lower_is_better
from ravl.files.whole_file import write_text
from ravl.json_types import JsonObject, JsonRecord, JsonValue
from ravl.pages.score_words import difference, measure_name, value_and_interval
from ravl.runs.run import AGAIN, RUN
from ravl.runtime.names import MANIFEST
from ravl.untrusted import damage_of, read_json

CARD = "README.md"
MEASURES = 5  # columns of the table
BESIDE = {"": "", "text": "a text", "question": "what is it?"}  # an example of what a task takes
ROWS = {
    "zero_shot": "pretrained, without a memory",
    "question_only": "the question without its picture",
    "vote": "the neighbours' vote alone",
    "no_retrieval": "fine-tuned, without retrieval",
    "with_retrieval": "**fine-tuned, with retrieval**",
}
LICENCES = {
    "builtin": (
        "EfficientNet-Lite0, weights trained on ImageNet: Apache-2.0 (Tan and Le, Google)",
        "all-MiniLM-L6-v2: Apache-2.0 (Reimers and Gurevych), after MiniLM: MIT (Microsoft)",
    ),
    "multilingual": (
        "EfficientNet-Lite0, weights trained on ImageNet: Apache-2.0 (Tan and Le, Google)",
        "multilingual-e5-small: MIT (Wang et al., Microsoft)",
        "all-MiniLM-L6-v2, if a language model was trained: Apache-2.0, after MiniLM: MIT",
    ),
}


class TaskWords(Protocol):
    """What a card says of a task; :class:`ravl.tasks.contract.Task` has it."""

    @property
    def command(self) -> str:
        """The word that users say for it."""

    @property
    def purpose(self) -> str:
        """What its runs do: "gives a picture one label"."""

    @property
    def pipeline_tag(self) -> str:
        """Of the hub's model cards."""

    @property
    def levels(self) -> Mapping[str, str]:
        """What each level is made of."""

    @property
    def beside(self) -> str:
        """What comes with a picture: "", "text" or "question"."""

    @property
    def writes(self) -> bool:
        """True where its answers are texts of its own."""


def write_card(folder: Path, task: TaskWords, name: str | None = None) -> None:
    """Write the card of a finished run, or of an export, into its folder; see :func:`card_of`."""
    with damage_of(f"The run in {folder}", AGAIN):
        text = card_of(folder, task, name)
    write_text(folder / CARD, text)


def card_of(folder: Path, task: TaskWords, name: str | None = None) -> str:
    """The card in Markdown, from ``run.json``, ``metrics.json`` and ``export.json``.

    Args:
        folder: the folder of the run.
        task: the task of the run.
        name: the name of the run; None for the folder's name.
    """
    name = _plain(name or folder.resolve().name)
    record, metrics = _read(folder / RUN), _read(folder / "metrics.json")
    manifest = _read(folder / MANIFEST)
    level = str(record.get("level", ""))
    parts = [
        _head(task),
        _what(name, record, task, level),
        _data(record, metrics),
        _scores(metrics),
        _use(name, task),
        _limits(record, task),
    ]
    if manifest:
        parts.append(_export(manifest))
    return "\n".join([*parts, _licences(record)])


def _head(task: TaskWords) -> str:
    return (
        f"---\nlibrary_name: ravl\npipeline_tag: {task.pipeline_tag}\ntags:\n- ravl\n"
        f"- retrieval-augmented\n- {task.command}\n---\n"
    )


def _what(name: str, record: JsonRecord, task: TaskWords, level: str) -> str:
    made = task.levels.get(level, level)
    spec = record["encoder"]["spec"]
    base = record.get("base", {}).get("spec", spec)
    trained = f", with trained heads ({_code(spec)})" if base != spec else ""
    return (
        f"# {name}\n\n"
        f"A run of ravl that {task.purpose}. It answers from a *memory*, a collection of "
        "pictures that can be edited at any time: new rows count at once, and every answer lists "
        "the rows that support it.\n\n"
        f"- Task: {task.command}\n- Method: {made}\n- Encoder: {_code(base)}{trained}\n"
    )


def _data(record: JsonRecord, metrics: JsonRecord) -> str:
    memory = record["memory"]
    lines = ["## Data\n"]
    counts = ", ".join(f"{count:,} for {part}" for part, count in record["parts"].items())
    lines.append(f"- Pictures with labels or texts: {counts}")
    lines.append(
        f"- Memory: {_code(Path(memory['path']).name)} at its version {memory['version']:,}; it is "
        "not part of this folder"
    )
    labels = record.get("labels") or []
    if labels:
        some = ", ".join(_code(label) for label in labels[:8])
        more = ", …" if len(labels) > 8 else ""
        lines.append(f"- Answers in the fit: {len(labels):,} ({some}{more})")
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    lines.append(f"- Made with: {versions}")
    if "seconds" in metrics:
        lines.append(f"- Fitting took {metrics['seconds']:,.0f} seconds")
    return "\n".join([*lines, "", "```", *_fenced(str(record["command"])), "```", ""])


def _scores(metrics: JsonRecord) -> str:
    rows = metrics.get("rows", {})
    if not rows:
        return "## How good it is\n\nNot measured.\n"
    names = list(next(iter(rows.values())))[:MEASURES]
    lines = [
        "## How good it is\n",
        "On held-out pictures; the evidence for a picture never contains the picture itself or a "
        "near-duplicate. In brackets, 95 % intervals.\n",
        "| | " + " | ".join(measure_name(name) for name in names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for row, scores in rows.items():
        cells = [_cell(name, scores.get(name)) for name in names]
        lines.append(f"| {ROWS.get(row, row)} | " + " | ".join(cells) + " |")
    lines += ["", *_gains(metrics.get("differences", {}), names[0])]
    lines += [f"- {_plain(note)}" for note in metrics.get("notes", ())]
    return "\n".join([*lines, ""])


def _gains(differences: JsonRecord, name: str) -> Iterator[str]:
    """The gain of retrieval and of fitting, by the first measure."""
    for key in ("with_retrieval - no_retrieval", "with_retrieval - vote"):
        if name not in differences.get(key, {}):
            continue
        words = difference(_score(differences[key][name]), is_percent(name), lower_is_better(name))
        after, before = (ROWS[part].strip("*") for part in key.split(" - "))
        verdict = f"clearly {words.verdict}" if words.verdict else "not clear"
        yield (
            f"- {measure_name(name)}, {after} minus {before}: {words.value} ({words.interval}), "
            f"{verdict}"
        )


def _use(name: str, task: TaskWords) -> str:
    beside = BESIDE[task.beside]
    flag = "--text " if task.beside == "text" else ""
    extra, shell = (f', "{beside}"', f' {flag}"{beside}"') if beside else ("", "")
    return (
        "## Use\n\n```python\nimport ravl\n\n"
        f'model = ravl.load("{name}", memory="MEMORY.ravl")\n'
        f'answer = model.predict("new.jpg"{extra})\nanswer, answer.evidence\n```\n\n'
        f"```\nravl {task.command} {name} new.jpg{shell} --memory MEMORY.ravl\n```\n"
    )


def _limits(record: JsonRecord, task: TaskWords) -> str:
    base = record.get("base", record["encoder"])["spec"]
    lines = [
        "The figures are valid for pictures like those of the fit. Evaluate it on your own "
        "pictures: "
        "`ravl evaluate`.",
        "It needs a memory with the encoder of the fit, and refuses other memories.",
        "Errors in the memory, such as a wrong label, affect its answers: look at the evidence.",
        "It has not been tested for bias against groups of people. Do not use it to decide about "
        "people.",
    ]
    if base == "builtin":
        lines.append("Texts must be in English; in other languages only equal words are found.")
    if task.writes:
        lines.append("Its texts can be fluent and wrong.")
    return "\n".join(["## Limits\n", *(f"- {line}" for line in lines), ""])


def _export(manifest: JsonRecord) -> str:
    lines = ["## Export\n", "Runs with onnxruntime and NumPy: `ravl.runtime.load`.\n"]
    for name, its in manifest["networks"].items():
        parity = its["parity"]
        real = f", {parity['real']:.1g} on pictures of the memory" if "real" in parity else ""
        kind = ", with eight-bit weights" if its["int8"] else ""
        lines.append(
            f"- {name}: {its['bytes'] / 2**20:,.1f} MB{kind}, opset {its['opset']}; as floating "
            f"point it differed from torch by {parity['random']:.1g} on random inputs{real}"
        )
    lines.append(_agreed("Answers equal to torch's", manifest["answers"]))
    if "int8" in manifest:
        lines.append(_agreed("Answers equal with and without int8", manifest["int8"]["answers"]))
        lines += [
            f"- {measure_name(name)}: {its['float']:.4g} in floating point, {its['int8']:.4g} with "
            "int8"
            for name, its in manifest["int8"].get("scores", {}).items()
        ]
    return "\n".join([*lines, ""])


def _agreed(what: str, answers: JsonRecord) -> str:
    return f"- {what}: {answers['same']:,} of {answers['compared']:,}"


def _licences(record: JsonRecord) -> str:
    base = record.get("base", record["encoder"])["spec"]
    lines = [f"- {line}" for line in LICENCES.get(base, (f"{_code(base)}: see its own card",))]
    lines.append("- ravl: Apache-2.0")
    return "\n".join(["## Licences\n", *lines, "- The pictures and texts: their owners'", ""])


def _cell(name: str, score: JsonValue) -> str:
    if score is None:
        return "–"
    value, interval = value_and_interval(_score(score), is_percent(name))
    return f"{value} ({interval})"


def _score(found: Mapping[str, float]) -> Score:
    return Score(found["value"], found["low"], found["high"])


def _read(file: Path) -> JsonObject:
    if not file.is_file():
        return {}
    return read_json(file)


def _plain(text: str) -> str:
    """One line without Markdown or HTML markup."""
    line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in line)


def _code(text: str) -> str:
    return "`" + " ".join(text.split()).replace("`", "'") + "`"


def _fenced(text: str) -> list[str]:
    return [line.replace("```", "'''") for line in text.splitlines()] or [""]
