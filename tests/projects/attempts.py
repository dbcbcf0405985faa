"""What tests run inside a readiness project: all its variants, split with one secret, and attempts at them.

``attempt(variant, mended)`` begins as baseline.py does, writes the ``mended`` files over it, and says what it holds.
"""

from __future__ import annotations

BEGIN = """
import contextlib, csv, hashlib, io, json, pathlib, sys, tempfile
import numpy as np
import baseline, data, evaluate

work = pathlib.Path(tempfile.mkdtemp())
data.toy(work / "raw", 0)
data.split(work / "raw", work / "public", work / "private", hashlib.sha256(b"tests").digest())
count = 0

def attempt(variant, mended):
    global count
    count += 1
    artifact, out = work / f"artifact-{count}", work / f"out-{count}"
    baseline.VARIANT = variant
    baseline.train(work / "public", artifact, 60.0)
    for name, text in mended.items():
        (artifact / name).write_text(text, encoding="utf-8")
    out.mkdir()
    before = sys.path[:]
    with contextlib.redirect_stderr(io.StringIO()):
        baseline.predict(artifact, work / "private" / "inputs", out)
    sys.path[:] = before
    for name in ("bag", "clean", "lab", "model", "plan", "sgd"):
        sys.modules.pop(name, None)
    return evaluate.evaluate(out, work / "private" / "answers")

def wanted(variant, task):
    with np.load(work / "private" / "answers" / "answers.npz") as held:
        rows = np.flatnonzero((held["variant"] == variant) & (held["task"] == task))
        return held["value"][rows[np.argsort(held["place"][rows])]].tolist()

def given(variant, name):
    return (work / "public" / f"variant-{variant}" / name).read_text(encoding="utf-8")
"""

ML = '''
BAG = """
import numpy as np
from lab import tree

def bag(x, y, *, count, seed):
    random = np.random.default_rng(seed)
    samples = [random.integers(0, len(x), size=len(x)) for _ in range(count)]
    return [tree(x[rows], y[rows]) for rows in samples]

def vote(trees, x):
    return np.mean([tree.predict(x) for tree in trees], axis=0) > 0.5
"""
LOOP = data.LOOP.format(**data.RIGHT)

def read(variant):
    rows = list(csv.DictReader(given(variant, "curves.csv").splitlines()))
    runs = {
        run: np.array([(float(row["train"]), float(row["validation"])) for row in rows if row["run"] == str(run)])
        for run in (1, 2, 3)
    }
    over = max(runs, key=lambda run: runs[run][-1, 1] - runs[run][-1, 0])
    train, valid = runs[over].T
    patience = json.loads(given(variant, "curve.json"))["patience"]
    ended = next(e for e in range(1, len(valid) + 1) if e - 1 - valid[:e].argmin() == patience)
    gap = round(float((valid - train)[-10:].mean()), 2)
    under = max(runs, key=lambda run: runs[run][-1, 0])
    return {"stop": int(valid.argmin()) + 1, "ended": ended, "gap": gap, "overfits": over, "underfits": under}

def answers(variant):
    tuned = work / f"tuned-{variant}"
    baseline.VARIANT = variant
    baseline.train(work / "public", tuned, 60.0)
    tune = json.loads((tuned / "answers.json").read_text())["tune"]
    return json.dumps({"variant": variant, "tune": tune, "curve": read(variant)})

def solved(variant):
    return {"bag.py": BAG, "sgd.py": LOOP, "answers.json": answers(variant)}
'''

PYTHON = '''
CLEAN = """
from datetime import datetime

FORMS = "%Y-%m-%d", "%d.%m.%Y", "%d.%m.%y", "%d %b %Y", "%b %d, %Y", "%Y/%m/%d", "%d/%m/%Y"

def day(text):
    for form in FORMS:
        try:
            return datetime.strptime(text.strip(), form).date()
        except ValueError:
            pass
    return None

def keep(rows):
    seen, kept = set(), []
    for row in rows:
        key = "".join(letter for letter in row["record"].upper() if letter.isalnum())
        fits = day(row["day"]) is not None and kilograms(row["weight"]) is not None and key not in seen
        if fits:
            seen.add(key)
        kept.append(fits)
    return kept

def kilograms(text):
""" + baseline.READ

def package(variant, faults=()):
    rates = given(variant, "parcel/src/parcel/rates.py")
    base, kilogram = rates.split("KILOGRAM = ")[1].splitlines()[0].split(", ")
    zones = rates.split("np.array(")[1].split(", dtype")[0]
    lines = dict(data.RIGHT)
    for fault in faults:
        lines |= fault
    return {
        f"parcel/{name}": text.format(**lines, base=base, per_kilogram=kilogram, zones=zones)
        for name, text in data.FILES.items()
    }

def solved(variant):
    return {"clean.py": CLEAN, **package(variant)}
'''

CUDA = """
SIZES = {"count": "no", "tokens": data.TOKENS, "length": data.LENGTH, "width": data.WIDTH}

def model(**faults):
    return data.MODEL.format(**(data.RIGHT | faults), **SIZES)

def solved(variant):
    causes = [int(cause) for cause in wanted(variant, data.CAUSES)]
    return {"model.py": model(), "answers.json": json.dumps({"variant": variant, "causes": causes})}
"""

SOLVED = {"readiness-ml": BEGIN + ML, "readiness-python": BEGIN + PYTHON, "readiness-cuda": BEGIN + CUDA}
