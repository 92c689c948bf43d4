"""Write src/ravl/encoders/space/space.safetensors: the builtin encoder's learned guess at texts.

A ridge regression from picture features to the mean vector of a picture's texts, from free drawings
only (see README.md beside the weights), and from ImageNet's classes without any picture: where the
classifier's weights w separate a class, its pictures lie in the direction of cov(features) w, as in
linear discriminant analysis.

    python -m scripts.train_space [--work FOLDER]

fetches Debian packages with `apt-get download` and npm packages with `npm pack` into the folder,
none of which is run. Nothing is chosen on a set that benchmarks/space.py judges on: every choice is
tried on drawings of another source than it learned from (clip art -> emoji, emoji -> clip art), and
only those count that tell made-up features of ImageNet's classes apart better than ConSE alone, by
a standard error; these stand in for photographs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import sqrt
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ravl.data.pictures import decode
from ravl.encoders.base import Array, normalise
from ravl.encoders.builtin import SEMANTIC, BuiltinEncoder
from ravl.encoders.space import WEIGHTS
from ravl.evaluation import ranks_of_relevant
from scripts.clip_art import Drawing, read_clip_art

OUT = Path(__file__).parents[1] / "src/ravl/encoders/space" / WEIGHTS
EMOJI = ("emoji-datasource-google@16.0.0", "emoji-datasource-twitter@16.0.0")
KEYWORDS = "emojibase-data@17.0.0"
NUM_GATE_FEATURES = ("Flags", "Symbols", "Component")  # categories of emoji that show nothing
PENALTIES = (10.0, 30.0)  # of the ridge regression, for ten pictures
CLASSES = (0.0, 5.0, 20.0)  # what a class counts, in pictures
CONSE = (0.5, 0.7, 1.0, 1.4, 2.0)  # weights of ConSE beside the map; devise_vectors() promises 1
FLOOR = 0.02  # of the features' spread
APART = 2.0  # how far a class lies from the mean, in the spread along its direction
MADE_APART, MADE = 6.0, 8  # the same for made-up pictures, and how many a class
DEPTH = 10


@dataclass(frozen=True)
class Source:
    """Drawings: features (n, 1280), texts' vectors (m, 384), of each picture its texts."""

    features: Array
    texts: Array
    of_picture: list[np.ndarray]

    @property
    def targets(self) -> Array:
        """The mean of each picture's texts, L2-normalised, (n, 384)."""
        return normalise(np.stack([self.texts[own].mean(axis=0) for own in self.of_picture]))

    def recall(self, pictures: Array) -> float:
        """R@10 of these vectors of its pictures, the mean of both directions."""
        of_text: list[list[int]] = [[] for _ in self.texts]
        for i, own in enumerate(self.of_picture):
            for t in own:
                of_text[t].append(i)
        owners = [np.array(own) for own in of_text]
        both = (
            ranks_of_relevant(self.texts, pictures, owners),
            ranks_of_relevant(pictures, self.texts, self.of_picture),
        )
        return float(np.mean([np.mean([r.min() <= DEPTH for r in ranks]) for ranks in both]))


@dataclass(frozen=True)
class Classes:
    """ImageNet's: centred text vectors (1000, 384), and how their features should look."""

    vectors: Array
    features: Array
    made: Array
    made_of: np.ndarray

    def accuracy(self, pictures: Array) -> float:
        """How many of the made-up pictures are nearest to their class, by these vectors."""
        found = (normalise(self.vectors) @ pictures.T).argmax(axis=0)
        return float((found == self.made_of).mean())


def main() -> None:
    """Fetch, look, choose, fit on everything, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Raw)
    parser.add_argument("--work", type=Path, default=Path("space-work"), help="for downloads")
    work = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    encoder = BuiltinEncoder()
    clips = _look(encoder, read_clip_art(work), work / "clip_art.npz")
    emoji = [_look(encoder, read_emoji(work, name), work / f"{name}.npz") for name in EMOJI]
    classes = imagine(encoder, [clips, *emoji])
    penalty, count = choose(encoder, clips, emoji, classes)
    weight, bias = fit([clips, *emoji], classes, penalty, count)
    arrays = {"weight": weight, "bias": bias}
    save_file({k: np.ascontiguousarray(v, np.float16) for k, v in arrays.items()}, OUT)
    print(f"{OUT.name}: penalty {penalty:g}, a class counts {count:g} pictures.")


def fit(
    sources: Sequence[Source], classes: Classes, penalty: float, count: float
) -> tuple[Array, Array]:
    """Weight (384, 1280) and bias (384,) from the features' square roots to text vectors."""
    x, y = np.sqrt(np.concatenate([s.features for s in sources])), _targets(sources)
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), FLOOR)
    z, centre = (x - mean) / scale, y.mean(axis=0)
    c = (np.sqrt(classes.features) - mean) / scale  # (1000, 1280)
    gram = z.T @ z + count * c.T @ c + penalty * len(z) / 10 * np.eye(z.shape[1])
    moments = z.T @ (y - centre) + count * c.T @ normalise(classes.vectors)
    weight = np.linalg.solve(gram, moments).T / scale  # (384, 1280)
    return weight.astype(np.float32), (-weight @ mean).astype(np.float32)


def choose(
    encoder: BuiltinEncoder, clips: Source, emoji: Sequence[Source], classes: Classes
) -> tuple[float, float]:
    """Penalty and class count; fails if another weight of ConSE than 1 would have been better."""
    parts = [([clips], emoji), (emoji, [clips]), ([clips, *emoji], [])]
    made, known = classes.made, _conse(encoder, classes.made)
    own = {id(s): _conse(encoder, s.features) for s in (clips, *emoji)}
    rows = []
    for penalty, count in product(PENALTIES, CLASSES):
        fits = [fit(learn, classes, penalty, count) for learn, _ in parts]
        for conse in CONSE:
            recalls = [
                np.mean([s.recall(_mixed(s.features, f, conse * own[id(s)])) for s in judge])
                for f, (_, judge) in zip(fits, parts[:2], strict=False)
            ]
            kept = classes.accuracy(_mixed(made, fits[2], conse * known))
            rows.append((float(np.mean(recalls)), kept, penalty, count, conse))
            print(
                "R@10 {:.3f}  classes {:.3f}  penalty {:g} count {:g} ConSE {:g}".format(*rows[-1])
            )
    base = classes.accuracy(known)
    clearly = base + sqrt(base * (1 - base) / len(made))  # a standard error above
    _, _, penalty, count, conse = max(row for row in rows if row[1] >= clearly)
    if conse != 1:
        raise SystemExit(f"ConSE should weigh {conse:g} beside the guess: change both files.")
    return penalty, count


def imagine(encoder: BuiltinEncoder, sources: Sequence[Source]) -> Classes:
    """The classes' features, and made-up pictures of each, with the spread that drawings have."""
    p = encoder._projection
    features = np.concatenate([s.features for s in sources])
    mean, covariance = features.mean(axis=0), np.cov(features.T)
    w = p["weight"] - p["weight"].mean(axis=0)  # (1000, 1280)
    direction = w @ covariance
    direction /= np.sqrt(np.einsum("cf,cf->c", direction, w))[:, None]
    made_of = np.repeat(np.arange(len(w)), MADE)
    root = np.linalg.cholesky(covariance + 1e-4 * np.eye(len(mean)))
    noise = np.random.default_rng(0).normal(size=(len(made_of), len(mean))) @ root.T
    made = np.maximum(mean + MADE_APART * direction[made_of] + noise, 0).astype(np.float32)
    typical = np.maximum(mean + APART * direction, 0).astype(np.float32)
    return Classes(p["class_vectors"] - encoder._centre, typical, made, made_of)


def read_emoji(work: Path, name: str) -> Iterator[Drawing]:
    """Emoji of one vendor with their names and keywords."""
    data = json.loads(_members(npm_pack(KEYWORDS, work))("package/en/data.json"))
    said = {_plain(d["hexcode"]): [d["label"], *d.get("tags", [])] for d in data}
    vendor = name.removeprefix("emoji-datasource-").partition("@")[0]
    read = _members(npm_pack(name, work))
    for row in json.loads(read("package/emoji.json")):
        texts = said.get(_plain(row["unified"]))
        if texts and row[f"has_img_{vendor}"] and row["category"] not in NUM_GATE_FEATURES:
            yield Drawing(read(f"package/img/{vendor}/64/{row['image']}"), texts)


def npm_pack(name: str, work: Path) -> Path:
    """The file of an npm package; it is neither installed nor run."""
    package, _, version = name.partition("@")
    file = work / f"{package}-{version}.tgz"
    if not file.exists():
        subprocess.run(["npm", "pack", "--silent", name], cwd=work, check=True, timeout=600)
    return file


class Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description."""


def _members(file: Path):  # type: ignore[no-untyped-def]
    archive = tarfile.open(file)  # noqa: SIM115 (open as long as its reader is)

    def read(name: str) -> bytes:
        content = archive.extractfile(name)
        assert content is not None, name
        return content.read()

    return read


def _plain(code: str) -> str:
    """Without the mark that asks for a coloured picture, which the two sources set differently."""
    return code.replace("-FE0F", "")


def _look(encoder: BuiltinEncoder, drawings: Iterator[Drawing], file: Path) -> Source:
    """Features and text vectors of drawings, kept in a file."""
    if not file.exists():
        features, owners, which, texts = [], [], [], dict[str, int]()
        for i, drawing in enumerate(drawings):
            picture = encoder.prepare(decode(drawing.picture))
            features.append(encoder.features([picture])[0])
            for text in dict.fromkeys(drawing.texts):
                owners.append(i)
                which.append(texts.setdefault(text, len(texts)))
        vectors = encoder.embed_texts(list(texts))[:, :SEMANTIC]
        np.savez(file, features=np.stack(features), texts=vectors, owners=owners, which=which)
    kept = np.load(file)
    print(f"{file.stem}: {len(kept['features']):,} pictures, {len(kept['texts']):,} texts.")
    of_picture = np.split(kept["which"], np.flatnonzero(np.diff(kept["owners"])) + 1)
    return Source(kept["features"], kept["texts"], of_picture)


def _targets(sources: Sequence[Source]) -> Array:
    return np.concatenate([s.targets for s in sources])


def _conse(encoder: BuiltinEncoder, features: Array) -> Array:
    """Features (n, 1280) -> ConSE's vectors (n, 384), without any guess."""
    p = encoder._projection
    logits = features @ p["weight"].T + p["bias"]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return normalise(odds @ (p["class_vectors"] - encoder._centre))


def _mixed(features: Array, fitted: tuple[Array, Array], conse: Array) -> Array:
    return normalise(normalise(np.sqrt(features) @ fitted[0].T + fitted[1]) + conse)


if __name__ == "__main__":
    main()
