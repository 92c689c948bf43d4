from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from ravl.encoders import Encoder, load_encoder
from ravl.memory import Memory
from tests.helpers import ColourEncoder, make_examples
from tests.once import copy_of, made_once

SHARED_CACHE = ("encoders", "samples")

# How long an example takes depends on the machine, and says nothing about the code.
hypothesis.settings.register_profile(
    "any-speed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-speed")


def pytest_collection_finish() -> None:
    """What was imported and collected stays; the garbage collector need not look at it again.

    Training with accelerate ends with a collection, which takes long among so many objects.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of the tests' own; what takes long to make, such as networks, is the user's."""
    from ravl.cache import cache_dir

    folder = tmp_path_factory.mktemp("cache")
    for name in SHARED_CACHE:
        (folder / name).symlink_to(cache_dir(name), target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAVL_CACHE", str(folder))
        patch.setenv("RAVL_CONFIG", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture
def encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def empty(tmp_path: Path, encoder: ColourEncoder) -> Iterator[Memory]:
    """A new memory without rows."""
    with Memory.create(tmp_path / "test.ravl", encoder) as memory:
        yield memory


@pytest.fixture
def memory(tmp_path: Path, empty: Memory) -> Memory:
    """A memory of 16 rows: two pictures of each of eight colours."""
    empty.add(make_examples(tmp_path / "pictures"))
    return empty


@pytest.fixture(scope="session")
def builtin() -> Encoder:
    """The real builtin encoder, loaded once."""
    return load_encoder("builtin")


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny language model."""
    from tests.labelled import tiny_bert  # imports torch

    return made_once(tmp_path_factory, "language", tiny_bert)


@pytest.fixture
def by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memories made with a ColourEncoder open by their path alone, as those of real encoders do."""
    from ravl.encoders import load_encoder as load
    from ravl.store import space

    monkeypatch.setattr(
        space,
        "load_encoder",
        lambda spec, *parts, **base: (
            ColourEncoder() if spec == "colour" else load(spec, *parts, **base)
        ),
    )


@pytest.fixture(scope="session")
def fitted_once(tmp_path_factory: pytest.TempPathFactory, language: Path) -> Path:
    """A folder with a memory of 48 shades, ``shop.ravl``, and runs of it; copy it to change it."""
    import torch

    from ravl.tasks.fit import fit
    from tests.labelled import shades
    from tests.training.painted_labels import FUSION

    def make(folder: Path) -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        with Memory.create(folder / "shop.ravl", ColourEncoder()) as memory:
            memory.add(shades(folder / "pictures"))
            for name, task, settings in (
                ("vote", "classify", {"model": "vote"}),
                ("linear", "classify", {"model": "linear"}),
                ("fusion", "classify", {**FUSION, "language_model": str(language)}),
                ("tags", "tag", {"model": "linear"}),
                ("tagvote", "tag", {"model": "vote"}),
            ):
                fit(task, memory, out=folder / name, progress=False, **settings)
        torch.set_num_threads(threads)

    return made_once(tmp_path_factory, "fitted", make)


@pytest.fixture
def fitted(fitted_once: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return copy_of(fitted_once, tmp_path / "fitted")


@pytest.fixture(scope="session")
def two_versions_once(fitted_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with black and white rows more: ``runs/run`` does not know these labels.

    ``runs/run/work-refit-new`` does, and can replace it.
    """
    from ravl.tasks.fit import fit
    from tests.labelled import shades

    def make(folder: Path) -> None:
        copy_of(fitted_once / "pictures", folder / "pictures")
        shutil.copy(fitted_once / "shop.ravl", folder)
        run = copy_of(fitted_once / "linear", folder / "runs" / "run")
        record = json.loads((run / "run.json").read_text("utf-8"))
        record["memory"]["relative"] = "../../shop.ravl"
        (run / "run.json").write_text(json.dumps(record), "utf-8")
        with Memory.open(folder / "shop.ravl", ColourEncoder()) as memory:
            memory.add(shades(folder / "pictures", 24, ("black", "white"), 300))
            new = run / "work-refit-new"
            fit("classify", memory, out=new, model="linear", progress=False)

    return made_once(tmp_path_factory, "two_versions", make)


@pytest.fixture
def two_versions(two_versions_once: Path, tmp_path: Path) -> Path:
    """The same, to be changed, in the test's own folder."""
    shutil.copytree(two_versions_once, tmp_path, dirs_exist_ok=True)
    return tmp_path
