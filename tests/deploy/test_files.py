"""The files of container and systemd name only what is there: this fails when the code moves on."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from ravl.cli import cli
from ravl.memory import Memory

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
UNIT = ROOT / "deploy" / "ravl.service"
REFIT = ROOT / "deploy" / "ravl-refit.service"
TIMER = ROOT / "deploy" / "ravl-refit.timer"


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """Instructions of the Containerfile and their arguments, one line each."""
    text = (ROOT / "Containerfile").read_text("utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


@pytest.fixture(scope="module")
def server() -> dict[str, Any]:
    """The service of the compose file."""
    return dict(compose()["services"]["server"])


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    """Settings of the systemd unit's service; each may be given several times."""
    found: dict[str, list[str]] = {}
    for line in (
        UNIT.read_text("utf-8").partition("[Service]")[2].partition("[Install]")[0].split("\n")
    ):
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return found


def of(steps: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for step, rest in steps if step == name]


def serve(arguments: Sequence[str]) -> dict[str, Any]:
    """What ``ravl serve`` would be told; an option that is not there is an error."""
    return parsed("serve", arguments)


def parsed(name: str, arguments: Sequence[str]) -> dict[str, Any]:
    command = cli.commands[name]
    with command.make_context(name, list(arguments)) as context:
        return dict(context.params)


def entrypoint(steps: list[tuple[str, str]]) -> list[str]:
    program, command, *rest = json.loads(of(steps, "ENTRYPOINT")[0])
    assert (program, command) == ("ravl", "serve")
    assert "ravl" in PROJECT["scripts"]
    return list(rest)


def test_the_containers_command(steps: list[tuple[str, str]], server: dict[str, Any]) -> None:
    fixed = entrypoint(steps)
    alone = serve([*fixed, *json.loads(of(steps, "CMD")[0])])
    composed = serve([*fixed, *server["command"]])
    assert alone["places"] == composed["places"]
    assert alone["host"] == "0.0.0.0"  # inside the container; who may ask is said by keys
    assert composed["keys"] == Path("/run/secrets/keys")
    assert "keys" in server["secrets"] and "keys" in compose()["secrets"]


def test_an_option_that_is_gone_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        serve(["/data/shop.ravl", "--listen", "0.0.0.0"])


def test_ports_agree(
    steps: list[tuple[str, str]], server: dict[str, Any], unit: dict[str, list[str]]
) -> None:
    port = serve([*entrypoint(steps), "x"])["port"]
    assert of(steps, "EXPOSE") == [str(port)]
    assert [mapping.split(":")[-1] for mapping in server["ports"]] == [str(port)]
    assert server["ports"][0].startswith("127.0.0.1:")
    checks = [of(steps, "HEALTHCHECK")[0], " ".join(server["healthcheck"]["test"])]
    assert all(f"http://127.0.0.1:{port}/" in check for check in checks)
    assert serve(shlex.split(unit["ExecStart"][0])[2:])["port"] == port


@pytest.mark.usefixtures("by_name")
def test_health_is_asked_where_it_is_told(
    steps: list[tuple[str, str]], server: dict[str, Any], memory: Memory
) -> None:
    from fastapi.testclient import TestClient

    from ravl.serving.app import create_app
    from ravl.serving.keys import Keys, new_key
    from ravl.serving.service import Service

    keys = Keys(None, {"RAVL_KEYS": new_key("read", "me")[1]})
    checks = [of(steps, "HEALTHCHECK")[0], " ".join(server["healthcheck"]["test"])]
    with TestClient(create_app(Service([memory.path], None, keys=keys))) as client:
        for check in checks:
            path = re.findall(r"http://[^/]+(/[^']+)'", check)[0]
            assert client.get(path).status_code in (200, 503), f"{path} wants a key, or is gone"
            compile(check[check.index("import ") :].rstrip('"]'), "healthcheck", "exec")


def test_nothing_is_stopped_before_it_has_answered(
    server: dict[str, Any], unit: dict[str, list[str]]
) -> None:
    from ravl.serving.limits import Limits

    for seconds in (server["stop_grace_period"].rstrip("s"), unit["TimeoutStopSec"][0]):
        assert int(seconds) > Limits().shutdown + 5


def test_the_image_is_built_from_what_is_there(steps: list[tuple[str, str]]) -> None:
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    let_through = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore
    copied = {
        source for rest in of(steps, "COPY") if "--from" not in rest for source in rest.split()[:-1]
    }
    assert copied == let_through
    assert all((ROOT / source).exists() for source in copied)
    assert {PROJECT["readme"], *PROJECT["license-files"]} <= copied, "the build needs them"


def test_what_is_installed(steps: list[tuple[str, str]]) -> None:
    installs = " ".join(of(steps, "RUN"))
    extras = re.findall(r'"\.\[(\w+)\]"', installs)
    assert extras == ["serve"]
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    assert re.findall(r'"(torch[^"]*)"', installs) == [
        need for need in PROJECT["dependencies"] if need.startswith("torch>")
    ]
    assert "://" not in installs, "which index is used is for whoever builds to say"
    bases = {re.match(r"python:(\d+\.\d+)-slim", rest)[1] for rest in of(steps, "FROM")}  # type: ignore[index]
    assert len(bases) == 1, "the environment is of the Python that it was built with"
    assert f">={bases.pop()}" == PROJECT["requires-python"]
    code = re.findall(r'python -c "([^"]+)"', installs)
    assert code == ["import ravl; ravl.load_encoder('builtin').fingerprint"]


def test_nobody_is_root_and_little_can_be_written(
    steps: list[tuple[str, str]], server: dict[str, Any]
) -> None:
    user = of(steps, "USER")[-1]
    assert f"--uid {user.split(':')[0]} " in of(steps, "RUN")[-1] and user != "0:0"
    volumes = json.loads(of(steps, "VOLUME")[0])
    environment = dict(
        item.split("=", 1) for rest in of(steps, "ENV") for item in rest.split() if "=" in item
    )
    assert environment["RAVL_CACHE"] in volumes
    assert Path(environment["HF_HOME"]).is_relative_to(environment["RAVL_CACHE"])
    assert server["read_only"] is True
    assert server["cap_drop"] == ["ALL"]
    assert server["security_opt"] == ["no-new-privileges:true"]
    mounted = dict(mapping.split(":")[:2] for mapping in server["volumes"])
    assert set(mounted.values()) == set(volumes)
    assert set(mounted) == set(compose()["volumes"])
    place = serve([*entrypoint(steps), *server["command"]])["places"][0]
    assert any(place.is_relative_to(volume) for volume in volumes)
    assert server["build"]["dockerfile"] == "Containerfile"
    assert set(server["build"]["args"]) == {rest.split("=")[0] for rest in of(steps, "ARG")}


def test_the_units_command_and_places(unit: dict[str, list[str]]) -> None:
    program, command, *arguments = shlex.split(unit["ExecStart"][0])
    assert Path(program).name in PROJECT["scripts"] and command == "serve"
    told = serve(arguments)
    state, cache = Path("/var/lib", unit["StateDirectory"][0]), Path("/var/cache/ravl")
    assert told["places"][0].is_relative_to(state)
    assert unit["CacheDirectory"] == [cache.name]
    environment = dict(v.split("=", 1) for line in unit["Environment"] for v in line.split())
    assert environment["RAVL_CACHE"] == str(cache)
    assert unit["DynamicUser"] == ["yes"]
    from ravl.serving.keys import VARIABLE, read_lines

    line = re.search(rf'{VARIABLE}="([^"]+)"', UNIT.read_text("utf-8"))
    assert line is not None, "the file says how keys are given"
    assert read_lines(line[1].replace("...", "0" * 64), "unit")


def commented() -> Iterator[tuple[str, list[str]]]:
    """Command lines in the comments of all files."""
    for file in (ROOT / "compose.yaml", UNIT, REFIT, ROOT / "Containerfile"):
        for line in file.read_text("utf-8").splitlines():
            if not line.startswith("#   "):
                continue
            words = shlex.split(re.split(r"\s{2,}", line[1:].strip(" \\"))[0])
            images = [i for i, word in enumerate(words) if word in ("server", "ravl")]
            if words[0] == "docker" and "run" in words:  # an image, or a service, runs `ravl serve`
                rest = words[images[-1] + 1 :]
                words = ["ravl", *([] if "--entrypoint" in words else ["serve"]), *rest]
            names = [i for i, word in enumerate(words) if word.split("/")[-1] == "ravl"]
            if names and words[names[0] + 1 :][:1] and words[names[0] + 1] in cli.commands:
                yield words[names[0] + 1], words[names[0] + 2 :]


def test_commands_in_comments_are_real() -> None:
    found = list(commented())
    assert {name for name, _ in found} == {"serve", "push", "pull", "refit"}
    for name, arguments in found:
        parsed(name, arguments)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / "ravl.service"
    copy.write_text(UNIT.read_text("utf-8").replace("/opt/ravl/bin/ravl", "/bin/true"), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=600
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_refit_is_a_command_and_writes_where_it_may() -> None:
    lines = [line for line in REFIT.read_text("utf-8").splitlines() if "=" in line]
    found = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    program, command, *arguments = shlex.split(found["ExecStart"])
    assert Path(program).name in PROJECT["scripts"] and command == "refit"
    told = parsed(command, arguments)
    assert told["run"].is_relative_to(Path("/var/lib", found["StateDirectory"]))
    assert told["if_new"] > 0
    assert found["Type"] == "oneshot"
    timer = TIMER.read_text("utf-8")
    assert f"Unit={REFIT.name}" in timer and "OnCalendar=" in timer


def test_the_unit_has_its_sections() -> None:
    parser = RawConfigParser(strict=False, comment_prefixes="#")
    parser.read(UNIT, "utf-8")
    assert parser.sections() == ["Unit", "Service", "Install"]
