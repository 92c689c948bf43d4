"""The files that a forge reads: each has the form it must have, and calls what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.project.files import ROOT, targets, text_of, yaml_of

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(p for p in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config")
MAKE = re.compile(r"\bmake (?P<words>[^&|;#\n]+)")
STRINGS = {"type": "array", "items": {"type": "string"}}

STEP = {
    "type": "object",
    "oneOf": [{"required": ["uses"]}, {"required": ["run"]}],
    "properties": {
        "name": {"type": "string"},
        "uses": {"type": "string", "pattern": r"^[\w-]+/[\w-]+(/[\w-]+)?@v\d+$"},
        "run": {"type": "string", "minLength": 1},
        "with": {"type": "object"},
        "env": {"type": "object"},
        "if": {"type": "string"},
    },
    "additionalProperties": False,
}
JOB = {
    "type": "object",
    "required": ["runs-on", "timeout-minutes", "steps"],
    "properties": {
        "name": {"type": "string"},
        "runs-on": {"const": "ubuntu-latest"},
        "timeout-minutes": {"type": "integer", "minimum": 1, "maximum": 360},
        "permissions": {"type": "object"},
        "needs": {"anyOf": [{"type": "string"}, STRINGS]},
        "strategy": {
            "type": "object",
            "required": ["matrix"],
            "properties": {
                "fail-fast": {"type": "boolean"},
                "matrix": {"type": "object", "additionalProperties": STRINGS},
            },
            "additionalProperties": False,
        },
        "steps": {"type": "array", "minItems": 1, "items": STEP},
    },
    "additionalProperties": False,
}
WORKFLOW = {
    "type": "object",
    "required": ["name", "on", "permissions", "jobs"],
    "properties": {
        "name": {"type": "string"},
        "on": {
            "type": "object",
            "properties": {"push": {}, "pull_request": {}, "schedule": {}, "workflow_dispatch": {}},
            "additionalProperties": False,
        },
        "permissions": {"const": {"contents": "read"}},
        "concurrency": {"type": "object", "required": ["group"]},
        "env": {"type": "object"},
        "jobs": {"type": "object", "minProperties": 1, "additionalProperties": JOB},
    },
    "additionalProperties": False,
}
ISSUE = {
    "type": "object",
    "required": ["name", "description", "body"],
    "properties": {
        "body": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["type", "id", "attributes"],
                "properties": {"type": {"enum": ["textarea", "input", "dropdown", "checkboxes"]}},
            },
        }
    },
}


def workflow(path: Path) -> Any:
    """A workflow; YAML 1.1 takes its key ``on`` for a truth value."""
    found = yaml_of(path)
    return {("on" if key is True else key): value for key, value in found.items()}


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_a_workflow_has_its_form(path):
    jsonschema.validate(workflow(path), WORKFLOW)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_each_matrix_value_that_is_used_is_there(path):
    for job in workflow(path)["jobs"].values():
        used = set(re.findall(r"\$\{\{ *matrix\.(\w+) *\}\}", str(job)))
        assert used == set(job.get("strategy", {}).get("matrix", {}))


def test_commands_are_targets_of_the_makefile():
    texts = [step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step]
    hooks = [
        h for repo in yaml_of(ROOT / ".pre-commit-config.yaml")["repos"] for h in repo["hooks"]
    ]
    texts += [hook["entry"] for hook in hooks if "entry" in hook]
    texts.append(text_of(".ci/run"))
    texts += re.findall(r"(?:`|^)(make [\w-]+)", text_of("CONTRIBUTING.md"), re.M)
    called = [word for text in texts for word in called_targets(text)]
    assert {"test", "lowest", "test-slow", "docs", "wheel", "lint", "types", "fast"} <= set(called)
    assert set(called) <= set(targets()), "the Makefile lacks what is called"


def called_targets(text: str) -> list[str]:
    """The targets in the ``make ...`` of some lines; assignments such as PYTHON=python are none."""
    calls = [found["words"].split() for found in MAKE.finditer(text)]
    return [word for words in calls for word in words if "=" not in word]


def test_other_commands_run_nothing_that_was_downloaded():
    for path in WORKFLOWS:
        for step in steps(path):
            assert not re.search(r"curl|wget|\$\{\{ *github\.event", step.get("run", ""))


def test_all_versions_of_python_are_tested():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    tested = workflow(ROOT / ".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert tested["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert project["requires-python"] == f">={tested['python'][0]}"


@pytest.mark.parametrize("path", FORMS, ids=lambda p: p.stem)
def test_a_form_for_issues_has_its_form(path):
    found = yaml_of(path)
    jsonschema.validate(found, ISSUE)
    ids = [field["id"] for field in found["body"]]
    assert len(ids) == len(set(ids))


def test_dependabot_looks_where_there_is_something():
    found = yaml_of(ROOT / ".github" / "dependabot.yml")
    assert found["version"] == 2
    assert {entry["package-ecosystem"] for entry in found["updates"]} == {
        "github-actions",
        "docker",
    }
    assert (ROOT / "Containerfile").is_file() and WORKFLOWS


def test_the_citation_says_what_the_package_says():
    found = yaml_of(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "type", "authors", "license"} <= set(found)
    assert found["license"] == tomllib.loads(text_of("pyproject.toml"))["project"]["license"]
    assert "version" not in found, "the version stands in src/ravl/_version.py alone"


def test_commits_that_blame_ignores_are_named_with_their_titles():
    lines = text_of(".git-blame-ignore-revs").splitlines()
    commits = [line for line in lines if line and not line.startswith("#")]
    assert commits and all(re.fullmatch(r"[0-9a-f]{40}", commit) for commit in commits)
    for i, line in enumerate(lines):
        if line in commits:
            assert re.match(r"# \S", lines[i - 1])
