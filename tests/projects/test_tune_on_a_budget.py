"""A searcher of tune-on-a-budget pays for what it sees, and is judged by what the scorer knows."""

from __future__ import annotations

import pytest

from .conftest import InProject

pytestmark = pytest.mark.workspace
SLUG = "tune-on-a-budget"

SEALS = """
import pathlib, tempfile, time
import numpy as np
import baseline, data
with tempfile.TemporaryDirectory() as folder:
    observed = np.random.default_rng(0).uniform(size=(2, 3))
    ids = np.array([11, 12], dtype=np.int64)
    data.write_sealed(pathlib.Path(folder), ids=ids, x=np.zeros((2, 3, 6)), observed=observed, key=b"k")
    with np.load(pathlib.Path(folder, "inputs.npz")) as held:
        sealed, modulus = held["sealed"], int.from_bytes(held["modulus"][0].tobytes(), "big")
started = time.process_time()
seen = [[baseline.opened(name, c, int(sealed[t, c]), modulus=modulus) for c in range(3)] for t, name in enumerate((11, 12))]
each = (time.process_time() - started) / 6
swapped = baseline.opened(12, 0, int(sealed[0, 0]), modulus=modulus)
print(np.array_equal(seen, observed), swapped == observed[0, 0], modulus.bit_length(), each > 0.001)
"""

PRIMES = """
import data
known = {5, 7, 97, 7919, 2**61 - 1, 2**127 - 1}
composite = {9, 91, 561, 41041, 3215031751, (2**61 - 1) * (2**31 - 1), 2**67 - 1}
print(all(map(data.is_prime, known - {5, 7})), any(map(data.is_prime, composite)))
p, q = data.prime(b"a", "p"), data.prime(b"a", "q")
print(p != q, p.bit_length(), data.prime(b"b", "p") != p, all(pow(base, p - 1, p) == 1 for base in (2, 3, 101)))
"""

REGRET = """
import numpy as np
import data, evaluate
truth = np.array([0.30, 0.10, 0.20, 0.50])
observed = np.array([0.28, 0.25, 0.15, 0.50])  # noise makes 2 look better than 1
print(*np.round(evaluate.regrets(np.array([3, 0, 1, 2]), observed, truth), 3))
print(*data.best_so_far(np.array([0.5, 0.3, 0.4, 0.3, 0.2])))
curve = data.random_search(1, observed, truth, key=b"k")
print(len(curve), abs(curve[-1] - truth[2]) < 1e-12)
"""

HONEST = """
import pathlib, tempfile
import numpy as np
import data, evaluate
with tempfile.TemporaryDirectory() as folder:
    out, answers = pathlib.Path(folder, "out"), pathlib.Path(folder, "answers")
    out.mkdir(), answers.mkdir()
    x, observed, truth = data.tables(pathlib.Path(folder), key=b"hidden", count=12)
    ids = np.arange(12, dtype=np.int64)
    chance = np.stack([data.random_search(*task, key=b"k") for task in zip(ids, observed, truth)])
    np.savez(answers / "answers.npz", id=ids, observed=observed, truth=truth, by_chance=chance)

    def score(openings):
        random = np.random.default_rng(3)
        rows = []
        for seen in observed:
            opened = random.permutation(len(seen))[:openings]
            rows.append(opened[np.argsort(seen[opened], kind="stable")][: data.BUDGET])
        np.savez(out / "predictions.npz", id=ids, proposals=np.stack(rows).astype(np.int64))
        return evaluate.evaluate(out, answers)

    spent = [score(share * data.BUDGET) for share in (1, 4, 12)]
    print(*[said["regret_ratio"] for said in spent], spent[2]["random_needs"] > 4)
"""

TASKS = """
import pathlib, tempfile
import numpy as np
import data
with tempfile.TemporaryDirectory() as folder:
    raw = pathlib.Path(folder)
    random = np.random.default_rng(0)
    y = random.integers(0, 10, 5000)
    x = np.zeros((5000, 28, 28), dtype=np.uint8)
    for row, label in enumerate(y):  # a bright bar whose place is the label, in noise
        x[row] = random.integers(0, 60, (28, 28))
        x[row, 2 * label : 2 * label + 6] += 150
    data.write_images(raw, x=x, y=y)
    data.CONFIGS = 24
    configs, observed, truth = data.tables(raw, key=b"k", count=1)
rates = configs[0, :, 0]
print(truth.shape, truth.min() < 0.5, truth.max() > 0.7, np.corrcoef(observed[0], truth[0])[0, 1] > 0.9)
"""

FETCHED = """
import gzip, hashlib, io, pathlib, struct, tempfile
import numpy as np
import data
random = np.random.default_rng(0)
x, y = random.integers(0, 256, (5, 28, 28), dtype=np.uint8), np.arange(5, dtype=np.uint8)
packed = {
    name: gzip.compress(struct.pack(f">4B{part.ndim}I", 0, 0, 8, part.ndim, *part.shape) + part.tobytes(), mtime=0)
    for name, part in (("images", x), ("labels", y))
}
files = [
    {"name": name, "url": f"https://example.org/{name}", "md5": hashlib.md5(content).hexdigest()}
    for name, content in packed.items()
]
data.tomllib.loads = lambda text: {"data": {"files": files}}
data.urllib.request.urlopen = lambda url, timeout: io.BytesIO(packed[url.rsplit("/", 1)[1]])
with tempfile.TemporaryDirectory() as folder:
    raw = pathlib.Path(folder)
    data.fetch(raw)
    with np.load(raw / "images.npz") as held:
        small, labels = held["x"], held["y"]
    print(small.shape, labels.tolist(), np.isclose(small[3, 8] * 255, x[3, 4:8, 4:8].mean()))
    packed["labels"] = b"something else"
    (raw / "labels").unlink()
    try:
        data.fetch(raw)
    except ValueError as error:
        print(error, (raw / "labels").exists())
"""


def test_a_seal_opens_to_its_error_for_its_own_task_alone_and_costs_time(in_project: InProject) -> None:
    assert in_project(SLUG, SEALS).split() == ["True", "False", "512", "True"]


def test_primes_are_prime_and_come_from_the_key(in_project: InProject) -> None:
    assert in_project(SLUG, PRIMES).split() == ["True", "False", "True", "256", "True", "True"]


def test_regret_is_the_true_error_of_what_a_searcher_would_keep(in_project: InProject) -> None:
    said = in_project(SLUG, REGRET).splitlines()

    assert said == ["0.4 0.2 0.0 0.1", "0 1 1 1 4", "4 True"]


def test_random_search_ties_with_itself_and_more_spending_shows_in_the_score(in_project: InProject) -> None:
    once, four, twelve, far = in_project(SLUG, HONEST).split()

    assert 0.5 < float(once) < 1.6
    assert float(twelve) < float(four) < float(once)
    assert far == "True"


def test_networks_of_a_task_are_trained_together_and_their_hyperparameters_matter(in_project: InProject) -> None:
    assert in_project(SLUG, TASKS).split() == ["(1,", "24)", "True", "True", "True"]


def test_images_are_read_as_their_publisher_packs_them_and_verified(in_project: InProject) -> None:
    read, refused = in_project(SLUG, FETCHED).splitlines()

    assert read == "(5, 49) [0, 1, 2, 3, 4] True"
    assert refused == "labels is not the file named in project.toml; it was removed, fetch again False"
