"""odd-one-out: hidden machines come from the secret, faults are where the labels say, and VUS-PR is what its authors define."""

from __future__ import annotations

import pytest

from .conftest import InProject

pytestmark = pytest.mark.workspace

SPLIT = """
import pathlib, tempfile
import numpy as np
import data
with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    data.toy(work / "raw", 0)
    def split(name, secret):
        data.split(work / "raw", work / name / "public", work / name / "private", secret)
        private = work / name / "private"
        with np.load(private / "inputs" / "inputs.npz") as x, np.load(private / "answers" / "ledger.npz") as ledger:
            return x["x"], {key: ledger[key] for key in ledger.files}
    hidden, ledger = split("a", b"a")
    again, _ = split("again", b"a")
    others, other = split("b", b"b")
    with np.load(work / "raw" / "series.npz") as held:
        known = {series.tobytes() for series in held["x"]}
    with np.load(work / "a" / "public" / "unlabelled.npz") as free, np.load(work / "a" / "public" / "labelled.npz") as told:
        print(len(free["id"]), sorted(free.files), len(told["id"]), set(free["id"]) & set(told["id"]))
print(len(set(ledger["item"])) == len(ledger["item"]) == 160, np.array_equal(hidden, again))
mine, theirs = (set(each["item"][each["part"] == 1].tolist()) for each in (ledger, other))
rows = {series.tobytes() for series in hidden}
print(len(mine), len(mine & theirs), len(rows & {series.tobytes() for series in others}), len(rows & known))
"""

FAULTS = """
import numpy as np
import data
phase = np.arange(60) / 30
for fault in data.FAULTS:
    far = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        machine = data._machine(random)
        ordinary = machine.wave(phase)
        x = ordinary.copy()
        size = fault(x, phase, machine, random)
        assert 1 <= size <= 60 and np.array_equal(x[size:], ordinary[size:])
        far.append(np.abs(x[:size] - ordinary[:size]).max())
    assert np.median(far) > 0.3, (fault.__name__, np.median(far))
share, counts = [], []
for seed in range(120):
    x, label, period = data.series(seed=seed, length=1024)
    assert x.dtype == np.int16 and 20 <= period <= 60 and set(label.tolist()) == {0, 1}
    edges = np.flatnonzero(np.diff(np.concatenate([[0], label.astype(int), [0]]))).reshape(-1, 2)
    assert all(after[0] - before[1] >= 2 * period for before, after in zip(edges, edges[1:]))
    counts.append(len(edges))
    share.append(label.mean())
print(set(counts) == {1, 2, 3, 4}, 0.04 < np.mean(share) < 0.1)
"""

DIRECT = """
import numpy as np
import evaluate

def direct(score, label, window):
    first = [t for t in range(len(label)) if label[t] and (t == 0 or not label[t - 1])]
    last = [t for t in range(len(label)) if label[t] and (t == len(label) - 1 or not label[t + 1])]
    areas = []
    for w in range(window + 1):
        weight = [1.0 if label[t] else 0.0 for t in range(len(label))]
        for a, b in zip(first, last):
            for d in range(1, w // 2 + 1):
                for t in (a - d, b + d):
                    if 0 <= t < len(label):
                        weight[t] = weight[t] + (1 - d / w) ** 0.5
        weight = np.minimum(weight, 1.0)
        joined = []
        for a, b in zip(first, last):
            if joined and a - w // 2 <= joined[-1][1]:
                joined[-1][1] = b + w // 2
            else:
                joined.append([max(a - w // 2, 0), b + w // 2])
        area = before = 0.0
        for threshold in sorted(set(score.tolist()), reverse=True):
            named = score >= threshold
            found = weight[named].sum()
            positives = (label.sum() + (label | (named & (weight > 0))) @ np.where(label, 1.0, weight)) / 2
            recall = min(found / positives, 1.0) * np.mean([named[a : b + 1].any() for a, b in joined])
            area += (recall - before) * found / named.sum()
            before = recall
        areas.append(area)
    return np.mean(areas)

random = np.random.default_rng(0)
for turn in range(60):
    label = np.zeros(int(random.integers(20, 100)), dtype=bool)
    for _ in range(int(random.integers(1, 5))):
        start = int(random.integers(0, len(label)))
        label[start : start + int(random.integers(1, 9))] = True
    score = (np.round(random.random(len(label)), 1 + turn % 3) + 0.3 * label * (turn % 2)).astype(np.float32)
    window = int(random.integers(0, 24))
    wanted, found = direct(score, label, window), evaluate.vus_pr(score, label, window=window)
    assert abs(wanted - found) < 1e-12, (turn, wanted, found)
print("equal")
"""

SMALL = """
import numpy as np
import evaluate
label = np.zeros(12, dtype=bool)
label[5:7] = True
# One reading named first, right beside the fault, then everything. w = 0 and 1 have no buffer, w = 2 has sqrt(1/2) there.
score = np.zeros(12, dtype=np.float32)
score[4] = 1.0
beside, bare = 0.5**0.5, 2 / 12
some = beside / (2 + beside / 2)  # recall when the one is named
rest = 1 - some  # precision of naming all: both faulty readings, and the buffer on both sides
wide = some * beside + rest * (2 + 2 * beside) / 12
print(abs(evaluate.vus_pr(score, label, window=2) - (bare + bare + wide) / 3) < 1e-12)
print(evaluate.vus_pr(label.astype(np.float32), label, window=9), evaluate.vus_pr(np.zeros(12), label, window=0) == bare)
"""

LIMIT = """
import numpy as np
import evaluate
from sklearn.metrics import average_precision_score
random = np.random.default_rng(1)
for turn in range(40):
    label = np.zeros(300, dtype=bool)
    start = int(random.integers(0, 280))
    label[start : start + int(random.integers(1, 20))] = True
    score = np.round(random.random(300) + 0.2 * label, 2).astype(np.float32)
    wanted = average_precision_score(label, score)
    assert abs(evaluate.vus_pr(score, label, window=0) - wanted) < 1e-12
    assert abs(evaluate.average_precision(score, label) - wanted) < 1e-12
print("equal")
"""

CHANCE = """
import numpy as np
import data, evaluate
random = np.random.default_rng(0)
rows = [data.series(seed=seed, length=1024) for seed in range(60)]
def mean(measure, scores):
    return float(np.mean([measure(score, row) for score, row in zip(scores, rows)]))
def vus(score, row):
    return evaluate.vus_pr(score, row[1].astype(bool), window=row[2])
def adjusted(score, row):
    return evaluate.point_adjusted_f1(score, row[1].astype(bool))
noise = [random.random(1024) for _ in rows]
truth = [row[1] + 0.5 * random.random(1024) for row in rows]
shuffled = [truth[place] for place in random.permutation(len(rows))]
share = float(np.mean([row[1].mean() for row in rows]))
print(share, mean(vus, noise), mean(vus, shuffled), mean(vus, truth), mean(adjusted, noise))
"""

QUICK = """
import time
import numpy as np
import data, evaluate
rows = [data.series(seed=seed, length=1000) for seed in range(10)]
scores = np.random.default_rng(0).random((10, 1000)).astype(np.float32)
took = []
for _ in range(7):
    start = time.process_time()
    for score, (_, label, _) in zip(scores, rows):
        faulty = label.astype(bool)
        evaluate.vus_pr(score, faulty, window=60)
        evaluate.average_precision(score, faulty)
        evaluate.point_adjusted_f1(score, faulty)
    took.append(time.process_time() - start)
print(min(took))
"""


def test_hidden_machines_come_from_the_secret_and_none_of_them_is_public(in_project: InProject) -> None:
    said = in_project("odd-one-out", SPLIT).splitlines()

    assert said == ["80 ['id', 'x'] 20 set()", "True True", "60 0 0 0"]


def test_every_fault_changes_what_it_says_and_nothing_beside_it(in_project: InProject) -> None:
    assert in_project("odd-one-out", FAULTS).split() == ["True", "True"]


def test_vus_pr_is_its_definition_on_small_series(in_project: InProject) -> None:
    assert in_project("odd-one-out", DIRECT) == "equal\n"


def test_vus_pr_of_one_named_reading_is_what_is_counted_by_hand(in_project: InProject) -> None:
    assert in_project("odd-one-out", SMALL).split() == ["True", "1.0", "True"]


def test_without_a_buffer_vus_pr_of_one_fault_is_the_area_under_precision_and_recall(in_project: InProject) -> None:
    assert in_project("odd-one-out", LIMIT) == "equal\n"


def test_chance_is_near_the_share_of_faults_and_only_point_adjustment_calls_it_good(in_project: InProject) -> None:
    share, noise, shuffled, truth, adjusted = map(float, in_project("odd-one-out", CHANCE).split())

    assert share < noise < 2 * share  # buffers add to what chance finds
    assert shuffled < 2.5 * share
    assert truth > 0.95
    assert adjusted > 0.6


def test_ten_thousand_readings_are_scored_in_a_blink(in_project: InProject) -> None:
    assert float(in_project("odd-one-out", QUICK)) < 0.15  # 0.03 s where nothing else runs
