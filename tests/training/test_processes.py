"""Several processes learn from their parts of a batch what one learns from all of it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import distributed, nn
from torch.multiprocessing.spawn import spawn

from ravl.encoders.trained import TrainedEncoder
from ravl.memory import Memory
from ravl.training.dual_encoder.heads import RetrieverModel
from ravl.training.dual_encoder.settings import RetrieverSettings
from tests.training.painted import Scrambled, fitted

ROOT = Path(__file__).parents[2]
SIZE, PROCESSES = 12, 2
# 26 training pictures with two texts each are two steps of an epoch, without a rest.
WHOLE = {"batch_size": 26, "dropout": 0.0, "epochs": 4}


def model(loss: str) -> RetrieverModel:
    torch.manual_seed(0)
    settings = RetrieverSettings(loss=loss, dimension=5, hidden=3, dropout=0.0)  # type: ignore[arg-type]
    random = np.random.default_rng(0)
    pictures, texts = (random.normal(size=(40, n)).astype(np.float32) for n in (8, 6))
    return RetrieverModel(pictures, texts, settings)


def batch() -> dict[str, torch.Tensor]:
    """Pairs that share a picture, and pairs that share a text, in different halves."""
    torch.manual_seed(1)
    groups, which = torch.arange(SIZE), torch.arange(SIZE)
    groups[9], which[7] = groups[1], which[2]
    return {
        "features": torch.randn(SIZE, 8),
        "texts": torch.randn(SIZE, 6),
        "groups": groups,
        "which": which,
    }


def learn(rank: int, port: int, folder: str) -> None:
    """One process: its loss and gradients to a file."""
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    distributed.init_process_group(
        "gloo", rank=rank, world_size=PROCESSES, timeout=timedelta(seconds=600)
    )
    for name in ("infonce", "sigmoid"):
        torch.save(taught(rank, name), Path(folder) / f"{name}{rank}.pt")
    distributed.barrier()  # or the first to leave takes the meeting point with it
    distributed.destroy_process_group()


def taught(rank: int, name: str) -> tuple[torch.Tensor, dict[str, Any]]:
    """Loss and gradients of one part; what is wrapped goes before the group, or may wait for it."""
    part = slice(rank * SIZE // PROCESSES, (rank + 1) * SIZE // PROCESSES)
    wrapped = nn.parallel.DistributedDataParallel(model(name))
    loss = wrapped(**{k: v[part] for k, v in batch().items()})["loss"]
    loss.backward()
    return loss.detach(), {k: p.grad for k, p in wrapped.module.named_parameters()}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(learn, (port, str(folder)), nprocs=PROCESSES)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["infonce", "sigmoid"])
def test_halves_of_a_batch_teach_what_the_whole_does(done, name):
    one = model(name)
    loss = one(**batch())["loss"]
    loss.backward()
    for rank in range(PROCESSES):
        theirs, gradients = torch.load(done / f"{name}{rank}.pt")
        assert theirs.item() == pytest.approx(loss.item(), rel=1e-5)
        for key, parameter in one.named_parameters():
            assert parameter.grad is not None
            torch.testing.assert_close(gradients[key], parameter.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("hard", [0, 3])
def test_two_processes_fit_as_one_does(painted, tmp_path, hard):
    changes = {**WHOLE, "hard_negatives": hard}
    file = Path(shutil.copy(painted.path, tmp_path / "shared.ravl"))
    each = json.dumps({**changes, "batch_size": WHOLE["batch_size"] // PROCESSES})
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc_per_node={PROCESSES}",
            "-m",
            "tests.training.painted",
            str(file),
            str(tmp_path / "two"),
            each,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=1200,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split().count("done") == PROCESSES
    one = fitted(painted, tmp_path / "one", **changes)
    record = json.loads((tmp_path / "two" / "metrics.json").read_text())
    assert one.curve
    assert [score for _, score in record["curve"]] == [score for _, score in one.curve]
    assert {p.name for p in (tmp_path / "two").iterdir()} == {
        p.name for p in (tmp_path / "one").iterdir()
    }
    mine, theirs = (TrainedEncoder.load(tmp_path / name, Scrambled()) for name in ("one", "two"))
    for own, other in (
        (mine.picture_head, theirs.picture_head),
        (mine.text_head, theirs.text_head),
    ):
        for name, value in own.arrays().items():
            np.testing.assert_allclose(other.arrays()[name], value, atol=1e-3, err_msg=name)
    with Memory.open(file, Scrambled()) as memory:
        assert record["adopted"]
        assert memory.encoder.spec.startswith("trained:")
        whats = [version.what for version in memory.history()]
    assert sum(what.startswith("reembed") for what in whats) == 1
