"""Scaffolds of unseen-scaffolds are those that chemists draw, stay whole, and don't depend on how a molecule is written."""

from __future__ import annotations

import pytest

from .conftest import InProject

pytestmark = pytest.mark.workspace
SLUG = "unseen-scaffolds"

# A molecule and its scaffold: the examples of RDKit's documentation of MurckoScaffold, then one for each rule.
SCAFFOLDS = {
    "Cc1ccccc1": "c1ccccc1",
    "Cc1cc(Oc2nccc(CCC)c2)ccc1": "c1ccc(Oc2ccccn2)cc1",
    "CC(=O)Oc1ccccc1C(=O)O": "c1ccccc1",  # aspirin: a side chain's double bond is no part of it
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C": "O=c1[nH]c(=O)c2[nH]cnc2[nH]1",  # caffeine: xanthine, alternating or aromatic
    "CC1CCC(C(C)C)C(=O)C1": "O=C1CCCCC1",  # menthone: an oxygen doubly bonded to the ring stays
    "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21": "O=C1CN=C(c2ccccc2)c2ccccc2N1",  # diazepam
    "CC(N)C(C1CC1)C(F)c1ccccc1": "C1CC1CCc1ccccc1",  # what links stays, what hangs on a link doesn't
    "CC1CC2(C1)CCC(O)CC2": "C1CC2(C1)CCCCC2",  # two rings that share an atom
    "Clc1ccc(cc1)S(=O)(=O)c1ccccc1": "O=S(=O)(c1ccccc1)c1ccccc1",
    "C1=CC=CC=C1CC": "c1ccccc1",
}
# None of these may be taken for another.
DIFFERENT = (
    "c1ccccc1", "C1CCCCC1", "C1CCCC1", "c1ccncc1", "c1ccoc1", "c1ccc2ccccc2c1", "c1ccc(-c2ccccc2)cc1",
    "c1ccc(Cc2ccccc2)cc1", "c1ccc(CCc2ccccc2)cc1", "c1ccc(Oc2ccccc2)cc1", "O=C1CCCCC1", "C1CC2(C1)CCCCC2",
)  # fmt: skip
# A molecule and its formula, hydrogens and all, as any encyclopaedia gives it.
FORMULAS = {
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C": "C8H10N4O2",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C": "C8H10N4O2",
    "CC(=O)Oc1ccccc1C(=O)O": "C9H8O4",
    "OC[C@H]1OC(O)[C@H](O)[C@@H](O)[C@@H]1O": "C6H12O6",
    "c1ccc2[nH]ccc2c1": "C8H7N",
    "C[N+](C)(C)CC(=O)[O-]": "C5H11NO2",
    "CS(C)(=O)=O": "C2H6O2S",
    "O=[N+]([O-])c1ccccc1": "C6H5NO2",
    "c1ccsc1": "C4H4S",
    "ClC(Cl)(Cl)Cl": "CCl4",
    "N#Cc1ccncc1": "C6H4N2",
    "C%12CCCCC%12Br": "C6H11Br",
}

KEYS = f"""
import data
key = lambda smiles: data.scaffold_key(data.parse(smiles))
for molecule, scaffold in {SCAFFOLDS!r}.items():
    if key(molecule) != key(scaffold):
        print(molecule)
print(len({{key(smiles) for smiles in {DIFFERENT!r}}}), key("CCO"), key("CC(=O)C=C"))
"""

FORMULA = f"""
from collections import Counter
import data
for smiles, formula in {FORMULAS!r}.items():
    molecule = data.parse(smiles)
    atoms = Counter(molecule.symbols)
    atoms["H"] = sum(map(molecule.hydrogens, range(len(molecule.symbols))))
    first = [name for name in ("C", "H") if atoms[name]]
    order = first + sorted(name for name in atoms if name not in ("C", "H"))
    said = "".join(name + (str(atoms[name]) if atoms[name] > 1 else "") for name in order)
    if said != formula:
        print(smiles, said)
for broken in ("C1CC", "C(C", "CXC", "C[C"):
    try:
        data.parse(broken)
    except ValueError:
        continue
    print("read", broken)
"""

ORDER = """
import numpy as np
import data
random = np.random.default_rng(0)
same = 0
for smiles in ("Cc1cc(Oc2nccc(CCC)c2)ccc1", "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21"):
    molecule = data.parse(smiles)
    for _ in range(20):
        count = len(molecule.symbols)
        place = random.permutation(count)
        other = data.Molecule()
        for atom in np.argsort(place):
            symbol = molecule.symbols[atom]
            other.add(symbol.lower() if molecule.is_aromatic[atom] else symbol)
        for one in range(count):
            for two, order in molecule.bonds[one].items():
                other.bond(int(place[one]), int(place[two]), order)
        same += data.scaffold_key(other) == data.scaffold_key(molecule)
print(same)
"""

PARTS = """
import numpy as np
import data
random = np.random.default_rng(0)
group = np.concatenate([np.zeros(300), np.full(200, 1), random.integers(2, 200, size=500)]).astype(np.int64)
part, other = (data.parts(group, secret=secret) for secret in (b"a", b"b"))
whole = all(len(set(part[group == name])) == 1 for name in set(group))
print(whole, part[:500].sum(), 195 <= part.sum() <= 215, 0.1 < (part & other).sum() / part.sum() < 0.7)
"""

INTERVAL = """
import pathlib, tempfile
import numpy as np
import evaluate
with tempfile.TemporaryDirectory() as folder:
    out, answers = pathlib.Path(folder, "out"), pathlib.Path(folder, "answers")
    out.mkdir(), answers.mkdir()
    ids, value = np.arange(200, dtype=np.int64), np.zeros(200, dtype=np.float32)
    spans = []
    for groups in (200, 4):  # errors that come in four lumps are known less well than errors of 200 molecules
        group = np.arange(200, dtype=np.int64) % groups
        missed = np.random.default_rng(1).normal(size=groups)[group].astype(np.float32)
        np.savez(answers / "answers.npz", id=ids, value=value, group=group)
        np.savez(out / "predictions.npz", id=ids, value=missed)
        said = evaluate.evaluate(out, answers)
        assert said["rmse_low"] < said["rmse"] < said["rmse_high"]
        assert abs(said["rmse"] - np.sqrt((missed.astype(float) ** 2).mean())) < 1e-12
        spans.append(said["rmse_high"] - said["rmse_low"])
    print(spans[1] > 2 * spans[0])
"""

TABLE = """
import pathlib, tempfile
import numpy as np
import data
head = "Compound ID,measured log solubility in mols per litre,smiles\\n"
with tempfile.TemporaryDirectory() as folder:
    raw = pathlib.Path(folder)
    table = raw / "esol.csv"
    table.write_text(head + "a,-1.5,Cc1ccccc1 \\nb,-2,c1ccccc1\\nc,0.5,CO\\nd,-3,CCCC\\ne,-1.5,Cc1ccccc1\\n")
    data.write_esol(raw, table)
    with np.load(raw / "molecules.npz") as held:
        print(held["value"].tolist(), held["group"][0] == held["group"][1] != 0, held["group"][2])
        print(held["atoms"][0, :3].tolist(), held["bonds"][0, 0, 1], held["bonds"][0, 1, 2])
    try:
        data.verify(table, sha256="0" * 64)
    except ValueError as error:
        print(error, table.exists())
"""


def test_scaffolds_are_those_of_the_literature_and_tell_rings_apart(in_project: InProject) -> None:
    assert in_project(SLUG, KEYS).splitlines() == [f"{len(DIFFERENT)} 0 0"]


def test_smiles_are_read_with_all_their_hydrogens_and_refused_when_broken(in_project: InProject) -> None:
    assert in_project(SLUG, FORMULA) == ""


def test_a_scaffold_has_one_key_however_its_atoms_are_ordered(in_project: InProject) -> None:
    assert in_project(SLUG, ORDER) == "40\n"


def test_scaffolds_stay_whole_and_common_ones_and_ringless_molecules_are_public(in_project: InProject) -> None:
    assert in_project(SLUG, PARTS).split() == ["True", "0", "True", "True"]


def test_the_interval_is_wider_where_errors_come_by_scaffold(in_project: InProject) -> None:
    assert in_project(SLUG, INTERVAL) == "True\n"


def test_esol_is_read_once_for_each_molecule_without_the_smallest(in_project: InProject) -> None:
    first, second, third = in_project(SLUG, TABLE).splitlines()

    assert first == "[-1.5, -2.0, -3.0] True 0"
    assert second == "[[1, 3, 8, 0], [1, 0, 8, 1], [1, 1, 8, 1]] 1 4"
    assert third == "esol.csv is not the file named in project.toml; it was removed, fetch again False"
