"""Eight variants of four small tasks, all grown from a secret of the site: nobody has seen a hidden row before.

``public/variant-1`` to ``public/variant-8`` hold what an attempt works on, ``public/*.py`` what it works with.
``private/inputs`` holds hidden data on which the mended code is run, and the ids of each task's rows. ``private/answers``
holds the wanted value of every row, and what evaluate.py needs to judge it: the error surfaces of the tuned model, the
curves without noise. A row of the tasks *tune* and *curve* is one answer.

Words: a *fault* is a line of sgd.py that was made wrong; each variant has three of the eight in ``FAULTS``.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np

VARIANTS = 8
SGD, TUNE, BAG, CURVE = 1, 2, 3, 4
SGD_ROWS, SGD_WIDTH, SGD_ASKED = 400, 6, 60
TUNE_ROWS, TUNE_WIDTH, TUNE_VALID, TUNE_HIDDEN, TUNE_GRID = 60, 40, 300, 1000, 25
BAG_ROWS, BAG_WIDTH, BAG_ASKED, TREES, APART = 300, 10, 600, 40, 2.4
GAIN = 0.05  # what forty trees gain at least, so that chance fails nobody whose vote is right
EPOCHS = 80
GIVEN = Path(__file__).with_name("given")

LOOP = '''"""Linear regression by mini-batch SGD. Three lines are wrong: find them and mend them."""

import numpy as np


def fit(x, y, *, rate, epochs, batch, seed):
    """The weights (d,) and the bias with the lowest mean square error on x (n, d) and y (n,) that an epoch ended with."""
    random = np.random.default_rng(seed)
    weights, bias = np.zeros(x.shape[1]), 0.0
    best, lowest = (weights, bias), np.inf
    for epoch in range(epochs):
        order = random.permutation(len(x))
        shuffled_x, shuffled_y = x[order], {labels}
        step = {schedule}
        for start in range(0, {end}, batch):
            rows_x, rows_y = shuffled_x[start : start + batch], shuffled_y[start : start + batch]
            error = {error}
            slope = {slope}
            weights = weights {sign} step * slope
            bias = bias - step * {bias}
        loss = np.mean((x @ weights + bias - y) ** 2)
        if loss {compare} lowest:
            best, lowest = (weights, bias), loss
    return best
'''
RIGHT = {
    "labels": "y[order]",
    "schedule": "rate / (1 + 0.1 * epoch)",
    "end": "len(x)",
    "error": "rows_x @ weights + bias - rows_y",
    "slope": "rows_x.T @ error / len(rows_x)",
    "sign": "-",
    "bias": "error.mean()",
    "compare": "<",
}
FAULTS = {
    "labels": "y",
    "schedule": "rate / 10**epoch",
    "end": "batch",
    "error": "rows_x @ weights - rows_y",
    "slope": "rows_x.T @ error / len(x)",
    "sign": "+",
    "bias": "0.0",
    "compare": ">",
}


def fetch(raw: Path) -> None:
    """Nothing is downloaded: the tasks are made when they are split. Writes raw/variants.json."""
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "variants.json").write_text(json.dumps({"variants": VARIANTS}), encoding="utf-8")


def toy(raw: Path, seed: int) -> None:
    """The same as ``fetch``: all of it is small, so ``seed`` changes nothing."""
    del seed
    fetch(raw)


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write what an attempt works on, what its code is run on, and the answers, apart from each other."""
    variants = json.loads((raw / "variants.json").read_text(encoding="utf-8"))["variants"]
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(GIVEN.glob("*.py")):
        shutil.copyfile(file, public / file.name)
    rows: list[tuple[int, float, int, int, int]] = []  # id, wanted value, variant, task, place within it
    levels: dict[str, list[np.ndarray]] = {"surface": [], "zero": [], "single": [], "bagged": [], "curve": []}
    for variant in range(1, variants + 1):
        folder = public / f"variant-{variant}"
        folder.mkdir(exist_ok=True)
        hidden: dict[str, np.ndarray] = {}
        wanted = {
            SGD: write_sgd(folder, hidden, random=generator(secret, f"{variant}/sgd")),
            TUNE: write_tune(folder, levels, random=generator(secret, f"{variant}/tune")),
            BAG: write_bag(folder, hidden, levels, random=generator(secret, f"{variant}/bag")),
            CURVE: write_curve(folder, levels, random=generator(secret, f"{variant}/curve")),
        }
        for task, found in wanted.items():
            ids = [number(secret, f"id/{variant}/{task}/{place}") for place in range(len(found))]
            hidden[f"ids_{task}"] = np.array(ids, dtype=np.int64)
            rows += [
                (name, value, variant, task, place) for place, (name, value) in enumerate(zip(ids, found, strict=True))
            ]
        np.savez_compressed(inputs / f"hidden-{variant}.npz", **hidden)
    rows.sort()  # by id: the order of rows says nothing
    names = ("id", "value", "variant", "task", "place")
    held = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    ids = held["id"]
    np.savez_compressed(inputs / "inputs.npz", id=ids)
    np.savez_compressed(answers / "answers.npz", **held)
    np.savez_compressed(answers / "levels.npz", **{name: np.array(held) for name, held in levels.items()})
    np.savez_compressed(answers / "ledger.npz", id=ids, item=ids, group=ids, part=np.ones(len(ids), dtype=np.int64))


def write_sgd(folder: Path, hidden: dict[str, np.ndarray], *, random: np.random.Generator) -> list[float]:
    """sgd.py with three faults and data to try it on; the values without noise that are wanted for hidden rows."""
    wrong = random.choice(sorted(FAULTS), size=3, replace=False).tolist()
    loop = LOOP.format(**(RIGHT | {place: FAULTS[place] for place in wrong}))
    (folder / "sgd.py").write_text(loop, encoding="utf-8")
    weights, bias = random.normal(size=SGD_WIDTH) * 2, random.uniform(3, 6) * random.choice([-1, 1])
    for name in ("given", "hidden"):
        x = random.normal(size=(SGD_ROWS, SGD_WIDTH))
        y = x @ weights + bias + random.normal(size=SGD_ROWS)
        if name == "given":
            np.savez_compressed(folder / "sgd.npz", x=x, y=y)
        else:
            hidden["sgd_x"], hidden["sgd_y"] = x, y
    hidden["sgd_asked"] = random.normal(size=(SGD_ASKED, SGD_WIDTH))
    return (hidden["sgd_asked"] @ weights + bias).tolist()


def write_tune(folder: Path, levels: dict[str, list[np.ndarray]], *, random: np.random.Generator) -> list[float]:
    """Data to tune on; the best pair of hyperparameters on hidden data. ``surface`` is the hidden error of every pair."""
    lab = load_lab()
    weights = random.normal(size=TUNE_WIDTH)
    weights *= 4.0 / np.linalg.norm(weights)
    scale = random.uniform(0.7, 1.3)
    x, valid, hidden = (scale * random.normal(size=(n, TUNE_WIDTH)) for n in (TUNE_ROWS, TUNE_VALID, TUNE_HIDDEN))
    y, valid_y = (part @ weights + random.normal(size=len(part)) * 3.0 for part in (x, valid))
    np.savez_compressed(folder / "tune.npz", x=x, y=y, valid_x=valid, valid_y=valid_y)
    rates, decays = np.linspace(*lab.RATE, TUNE_GRID), np.linspace(*lab.DECAY, TUNE_GRID)
    rate, decay = (grid.ravel() for grid in np.meshgrid(rates, decays, indexing="ij"))
    trained = lab.train(x, y, rate, decay)
    surface = lab.errors(trained, hidden, hidden @ weights)
    levels["surface"].append(surface.reshape(TUNE_GRID, TUNE_GRID))
    levels["zero"].append(np.sqrt(np.mean((hidden @ weights) ** 2)))
    return [rate[surface.argmin()], decay[surface.argmin()], lab.TRIALS]


def write_bag(
    folder: Path, hidden: dict[str, np.ndarray], levels: dict[str, list[np.ndarray]], *, random: np.random.Generator
) -> list[float]:
    """Data to bag trees on; the labels of hidden rows. ``single`` and ``bagged``: how often one tree and many are right.

    Hidden data on which many trees gain less than ``GAIN`` would judge by luck: other data are drawn then.
    """
    tree = load_lab().tree
    apart = random.normal(size=BAG_WIDTH)
    centre = np.stack([apart, -apart]) * (APART / 2 / np.linalg.norm(apart))

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        label = random.integers(0, 2, size=count)
        return centre[label] + random.normal(size=(count, BAG_WIDTH)), label

    x, y = draw(BAG_ROWS)
    np.savez_compressed(folder / "bag.npz", x=x, y=y)
    single = bagged = 0.0
    while bagged - single < GAIN:
        hidden["bag_x"], hidden["bag_y"] = draw(BAG_ROWS)
        hidden["bag_asked"], wanted = draw(BAG_ASKED)
        votes = np.zeros(BAG_ASKED)
        for _ in range(TREES):
            rows = random.integers(0, BAG_ROWS, size=BAG_ROWS)
            votes += tree(hidden["bag_x"][rows], hidden["bag_y"][rows]).predict(hidden["bag_asked"])
        single = (tree(hidden["bag_x"], hidden["bag_y"]).predict(hidden["bag_asked"]) == wanted).mean()
        bagged = ((votes > TREES / 2) == wanted).mean()
    levels["single"].append(single)
    levels["bagged"].append(bagged)
    return wanted.astype(float).tolist()


def write_curve(folder: Path, levels: dict[str, list[np.ndarray]], *, random: np.random.Generator) -> list[float]:
    """curves.csv with three runs and curve.json with the patience; the answers to five questions about them."""
    epoch = np.arange(1, EPOCHS + 1)
    quick = random.uniform(4, 8)
    floor, rise = random.uniform(0.25, 0.4), random.uniform(0.004, 0.009)
    fits = 1.6 * np.exp(-epoch / quick)
    clean = {
        "overfits": (fits + floor * np.exp(-epoch / 25), fits + floor + rise * np.maximum(epoch - 2 * quick, 0)),
        "underfits": (1.5 - 0.0015 * epoch, 1.55 - 0.0013 * epoch),
        "neither": (0.9 * fits + floor, 0.95 * fits + floor + 0.05),
    }
    names = random.permutation(sorted(clean))
    lines = ["run,epoch,train,validation"]
    for run, name in enumerate(names, start=1):
        train, valid = (np.round(part + random.normal(size=EPOCHS) * 0.006, 4) for part in clean[name])
        lines += [f"{run},{e},{t:.4f},{v:.4f}" for e, t, v in zip(epoch, train, valid, strict=True)]
        if name == "overfits":
            seen, gap = valid, (valid - train)[-10:].mean()
    patience = int(random.integers(5, 10))
    (folder / "curves.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "curve.json").write_text(json.dumps({"patience": patience}), encoding="utf-8")
    truth = clean["overfits"][1]
    levels["curve"].append(truth)
    runs = {name: run for run, name in enumerate(names.tolist(), start=1)}
    stop = int(truth.argmin()) + 1
    return [stop, ended(seen, patience=patience), gap, runs["overfits"], runs["underfits"]]


def ended(losses: np.ndarray, *, patience: int) -> int:
    """The epoch, counted from 1, after which ``patience`` epochs in a row brought no loss below the lowest so far."""
    lowest, waited = np.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        lowest, waited = (loss, 0) if loss < lowest else (lowest, waited + 1)
        if waited == patience:
            return epoch
    return len(losses)


def load_lab() -> ModuleType:
    """given/lab.py, which attempts work with too."""
    spec = importlib.util.spec_from_file_location("lab", GIVEN / "lab.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def generator(secret: bytes, name: str) -> np.random.Generator:
    """Random numbers that only the secret and the name decide."""
    return np.random.default_rng(number(secret, name))


def number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"readiness-ml/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1
