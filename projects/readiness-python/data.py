"""Eight variants of a broken package and a messy table, all grown from a secret of the site.

``public/variant-1`` to ``public/variant-8`` hold what an attempt works on: ``parcel/`` (a package with four faults),
``prices.json`` (a few parcels with their prices), ``deliveries.csv`` (a messy table) and ``checked.csv`` (some of its rows,
cleaned by hand). ``private/inputs`` holds other parcels and other rows of the same mess, ``private/answers`` what must
come out.

Words: a *fault* is a line made wrong. Each package has one of each kind in ``FAULTS``: one that keeps it from being
installed, one from being imported, one that newer versions of Python or NumPy brought, one that only gives a wrong price.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

VARIANTS = 8
PRICES, DAYS, WEIGHTS, KEPT = 1, 2, 3, 4
ROWS, CHECKED, PARCELS, EXAMPLES = 120, 20, 40, 6
POUND = 0.45359237
GIVEN = Path(__file__).with_name("given")

FILES = {
    "pyproject.toml": """[build-system]
requires = ["setuptools"]
build-backend = "{backend}"

[project]
name = {name}
version = "1.0"
requires-python = "{python}"
dependencies = ["{needs}"]

[tool.setuptools.packages.find]
where = ["{where}"]
""",
    "src/parcel/__init__.py": '''"""What parcels cost: quote([{{"grams": 1200, "zone": 2}}])."""

from {exported} import quote

__all__ = ["quote"]
''',
    "src/parcel/quote.py": '''"""Prices of whole lists of parcels."""

from {mapping} import Mapping

from {rates} import price
from .units import STEP, kilograms


def quote({parameters}):
    """The price of each parcel, in their order. A parcel is a mapping with ``grams`` and ``zone``."""
    {begin}
    for parcel in parcels:
        if not isinstance(parcel, Mapping):
            raise TypeError(f"{{parcel!r}} is no parcel")
        exact = price(kilograms(parcel["grams"]), parcel["zone"])
        prices.append(round(exact / STEP) * STEP)
    return prices
''',
    "src/parcel/rates.py": '''"""What a kilogram costs, and how much farther zones add."""

import numpy as np

from {step} import STEP

BASE, PER_KILOGRAM = {base}, {per_kilogram}
ZONES = np.array({zones}, dtype={type})


def price(weight, zone):
    """The exact price of ``weight`` kilograms to ``zone`` (1, 2 or 3), at least ten steps."""
    return max(float(np.{product}([BASE + PER_KILOGRAM * weight, {factor}])), 10 * STEP)
''',
    "src/parcel/units.py": '''"""Units and the smallest coin."""

STEP = 0.05


def kilograms(grams):
    """Grams in kilograms."""
    return grams {divided} 1000
''',
}
RIGHT = {
    "backend": "setuptools.build_meta", "name": '"parcel"', "python": ">=3.11", "needs": "numpy>=1.26", "where": "src",
    "exported": ".quote", "mapping": "collections.abc", "rates": ".rates", "step": ".units",
    "parameters": "parcels", "begin": "prices = []", "type": "float", "product": "prod", "factor": "ZONES[zone - 1]",
    "divided": "/",
}  # fmt: skip
FAULTS: tuple[tuple[dict[str, str], ...], ...] = (
    (
        {"backend": "setuptools.build_metal"}, {"name": '"parcel'}, {"python": ">=4.0"}, {"needs": "nunpy>=1.26"},
        {"where": "source"},
    ),
    ({"exported": ".quotes"}, {"rates": "rates"}, {"step": ".quote"}),
    ({"mapping": "collections"}, {"type": "np.float"}, {"product": "product"}),
    (
        {"parameters": "parcels, prices=[]", "begin": "prices.extend([])"}, {"factor": "ZONES[zone - 2]"},
        {"divided": "//"},
    ),
)  # fmt: skip

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
DAY_FORMS = (
    lambda d: d.isoformat(),
    lambda d: f"{d.day:02}.{d.month:02}.{d.year}",
    lambda d: f"{d.day}.{d.month}.{d.year % 100:02}",
    lambda d: f"{d.day} {MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{MONTHS[d.month - 1].upper()} {d.day}, {d.year}",
    lambda d: f"{d.year}/{d.month:02}/{d.day:02}",
    lambda d: f"{d.day:02}/{d.month:02}/{d.year}",
)
WEIGHT_FORMS = (
    lambda k: (f"{k:.2f} kg", round(k, 2)),
    lambda k: (f"{k:.2f} kg".replace(".", ","), round(k, 2)),
    lambda k: (f"{k:.1f}KG".replace(".", ","), round(k, 1)),
    lambda k: (f"{round(k * 1000)} g", round(k * 1000) / 1000),
    lambda k: (f"{k + 1000:,.1f} kg", round(k + 1000, 1)),
    lambda k: (f"{k + 1000:,.1f} kg".translate(str.maketrans(",.", ".,")), round(k + 1000, 1)),
    lambda k: (f"{k / POUND:.1f} lb", round(k / POUND, 1) * POUND),
    lambda k: (f" {k / 1000:.4f} t ", round(k / 1000, 4) * 1000),
)
MISSING = ("", "-", "n/a", "NA", "?", "unknown")


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
    for variant in range(1, variants + 1):
        folder = public / f"variant-{variant}"
        parcels, wanted = write_package(folder, random=generator(secret, f"{variant}/package"))
        deliveries, cleaned = write_deliveries(folder, random=generator(secret, f"{variant}/deliveries"))
        ids: dict[int, list[int]] = {}
        for task, found in {PRICES: wanted, **cleaned}.items():
            ids[task] = [number(secret, f"id/{variant}/{task}/{place}") for place in range(len(found))]
            named = enumerate(zip(ids[task], found, strict=True))
            rows += [(name, float(value), variant, task, place) for place, (name, value) in named]
        hidden = {"parcels": parcels, "rows": deliveries, "ids": ids}
        (inputs / f"hidden-{variant}.json").write_text(json.dumps(hidden), encoding="utf-8")
    rows.sort()  # by id: the order of rows says nothing
    names = ("id", "value", "variant", "task", "place")
    held = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    every = held["id"]
    np.savez_compressed(inputs / "inputs.npz", id=every)
    np.savez_compressed(answers / "answers.npz", **held)
    part = np.ones(len(every), dtype=np.int64)
    np.savez_compressed(answers / "ledger.npz", id=every, item=every, group=every, part=part)


def write_package(folder: Path, *, random: np.random.Generator) -> tuple[list[dict[str, int]], list[float]]:
    """The package with its faults and a few prices; other parcels, and what each of them costs."""
    numbers = {
        "base": float(round(random.uniform(2, 5), 2)),
        "per_kilogram": float(round(random.uniform(0.8, 2), 2)),
        "zones": [1.0, float(round(random.uniform(1.2, 1.6), 2)), float(round(random.uniform(1.8, 2.6), 2))],
    }
    lines = dict(RIGHT)
    for kind in FAULTS:
        lines |= kind[random.integers(len(kind))]
    for name, text in FILES.items():
        file = folder / "parcel" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(**lines, **numbers), encoding="utf-8")

    def price(parcel: dict[str, int]) -> float:
        exact = (numbers["base"] + numbers["per_kilogram"] * parcel["grams"] / 1000) * numbers["zones"][
            parcel["zone"] - 1
        ]
        return round(max(exact, 0.5) / 0.05) * 0.05

    count = EXAMPLES + PARCELS
    grams, zone = random.integers(150, 9000, size=count).tolist(), random.integers(1, 4, size=count).tolist()
    parcels = [{"grams": weight, "zone": where} for weight, where in zip(grams, zone, strict=True)]
    examples = [parcel | {"price": round(price(parcel), 2)} for parcel in parcels[:EXAMPLES]]
    (folder / "prices.json").write_text(json.dumps(examples, indent=1), encoding="utf-8")
    return parcels[EXAMPLES:], [price(parcel) for parcel in parcels[EXAMPLES:]]


def write_deliveries(
    folder: Path, *, random: np.random.Generator
) -> tuple[list[dict[str, str]], dict[int, list[float]]]:
    """The messy table and its checked rows; other rows of the same mess, and what must come of each."""
    days = [DAY_FORMS[form] for form in random.choice(len(DAY_FORMS), size=5, replace=False)]
    weights = [WEIGHT_FORMS[form] for form in random.choice(len(WEIGHT_FORMS), size=6, replace=False)]
    shown, cleaned = mess(days, weights, random=random)
    with (folder / "deliveries.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("record", "day", "weight"), lineterminator="\n")
        writer.writeheader()
        writer.writerows(shown)
    lines = ["row,day,kilograms,keep"]
    for row in range(CHECKED):
        day, weight, kept = (cleaned[task][row] for task in (DAYS, WEIGHTS, KEPT))
        said = "" if day < 0 else date.fromordinal(int(day)).isoformat()
        lines.append(f"{row},{said},{'' if weight < 0 else round(weight, 6)},{'yes' if kept else 'no'}")
    (folder / "checked.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return mess(days, weights, random=random)


def mess(
    days: list[Any], weights: list[Any], *, random: np.random.Generator
) -> tuple[list[dict[str, str]], dict[int, list[float]]]:
    """``ROWS`` rows as people type them; the day (ordinal), the kilograms and whether to keep it (-1: not given)."""
    rows: list[dict[str, str]] = []
    cleaned: dict[int, list[float]] = {DAYS: [], WEIGHTS: [], KEPT: []}
    first, kept = int(random.integers(100, 800)), set()
    for place in range(ROWS):
        again = place > 3 and random.random() < 0.2
        record = first + (int(random.integers(max(0, place - 12), place)) if again else place)
        when = date(2023, 1, 1) + timedelta(days=int(random.integers(0, 730)))
        typed, weight = weights[place % len(weights)](float(random.uniform(0.3, 60)))
        day, said = float(when.toordinal()), days[int(random.integers(len(days)))](when)
        if random.random() < 0.1:
            day, said = -1.0, MISSING[random.integers(len(MISSING))]
        if random.random() < 0.1:
            weight, typed = -1.0, MISSING[random.integers(len(MISSING))]
        named = (f"R-{record}", f"r-{record}", f" R-{record} ", f"R {record}")[random.integers(4)]
        fits = day > 0 and weight > 0 and record not in kept
        if fits:
            kept.add(record)
        rows.append({"record": named, "day": said, "weight": typed})
        for task, value in ((DAYS, day), (WEIGHTS, weight), (KEPT, float(fits))):
            cleaned[task].append(value)
    return rows, cleaned


def generator(secret: bytes, name: str) -> np.random.Generator:
    """Random numbers that only the secret and the name decide."""
    return np.random.default_rng(number(secret, name))


def number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"readiness-python/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1
