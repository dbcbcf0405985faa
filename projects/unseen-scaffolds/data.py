"""Molecules as graphs, and hidden ones whose ring scaffold appears in no public molecule.

Full data: ESOL (Delaney 2004, https://doi.org/10.1021/ci034243x), 1,128 compounds with their measured solubility in water,
downloaded by the address and checksum in project.toml. Toy data: made molecules whose property is computed from the graph
by a formula, so every label is exact.

The *scaffold* of a molecule (Bemis and Murcko 1996, https://doi.org/10.1021/jm9602928) is its rings, what links them, and
the atoms doubly bonded to these; side chains are left out. It is found here without a chemistry package: ``parse`` reads
SMILES (http://opensmiles.org/opensmiles.html), ``scaffold`` cuts, ``scaffold_key`` names what is left. Two scaffolds have
the same key if they can't be told apart by the neighbourhoods of their atoms; bond orders count only in that a carbon is
flat or isn't, so a ring has the same key whether it is written aromatic or with alternating bonds. A key may join two
scaffolds; it never divides one, and groups of molecules are what may not be divided.

Which scaffolds are hidden depends on the secret: groups are ordered by HMAC(secret, group) and taken from the front.
Molecules without a ring, and scaffolds with more than ``COMMON`` of all molecules, are always public. Atoms stand in
random slots of an array, drawn for each molecule by the secret, and so do their bonds; that spoils a table of bytes, not a
canonical name: see the brief for what holds on a public data set and what doesn't.

``private/answers/ledger.npz`` says for every id which item, group and part (0 public, 1 hidden) it is.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import re
import shutil
import tomllib
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SLOTS = 64  # atoms of the largest molecule that is kept
ELEMENTS = ("", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I", "B", "Si", "other")
SINGLE, DOUBLE, TRIPLE, AROMATIC = 1, 2, 3, 4
ORDERS = {"-": SINGLE, "/": SINGLE, "\\": SINGLE, "=": DOUBLE, "#": TRIPLE, "$": TRIPLE, ":": AROMATIC}
VALENCES = {"B": (3,), "C": (4,), "N": (3, 5), "O": (2,), "P": (3, 5), "S": (2, 4, 6)}
PIECE = re.compile(r"\[[^\]]+\]|Br|Cl|[BCNOPSFIbcnops]|%[0-9]{2}|[0-9]|[-=#$:/\\().]")
BRACKET = re.compile(r"\[[0-9]*(?P<symbol>[A-Z][a-z]?|[a-z]{1,2})@*(?:H(?P<hydrogens>[0-9]?))?(?P<charge>[-+]+[0-9]?)?")
ROUNDS = 10  # of looking one bond further, for a scaffold's key
HIDDEN_SHARE, COMMON = 0.2, 0.03
TOY_SCAFFOLDS, TOY_MOLECULES = 140, 900


@dataclass
class Molecule:
    """Heavy atoms by number, and the order of each bond between two of them (both directions are kept)."""

    symbols: list[str] = field(default_factory=list)
    is_aromatic: list[bool] = field(default_factory=list)
    charges: list[int] = field(default_factory=list)
    written: list[int | None] = field(default_factory=list)  # hydrogens as written in brackets
    bonds: list[dict[int, int]] = field(default_factory=list)

    def add(self, symbol: str, *, hydrogens: int | None = None, charge: int = 0) -> int:
        """The number of a new atom; a symbol in lower case is aromatic."""
        self.symbols.append(symbol.capitalize())
        self.is_aromatic.append(symbol.islower())
        self.charges.append(charge)
        self.written.append(hydrogens)
        self.bonds.append({})
        return len(self.symbols) - 1

    def bond(self, one: int, other: int, order: int | None) -> None:
        """Bond two atoms; without an order it is aromatic between aromatic atoms, else single."""
        if order is None:
            order = AROMATIC if self.is_aromatic[one] and self.is_aromatic[other] else SINGLE
        self.bonds[one][other] = self.bonds[other][one] = order

    def hydrogens(self, atom: int) -> int:
        """As written, else what the smallest valence that fits leaves free."""
        written, symbol = self.written[atom], self.symbols[atom]
        if written is not None:
            return written
        used = sum(1 if order == AROMATIC else order for order in self.bonds[atom].values())
        if self.is_aromatic[atom] and (symbol == "C" or (symbol == "N" and len(self.bonds[atom]) == 2)):
            used += 1
        return next((valence - used for valence in VALENCES.get(symbol, (1,)) if valence >= used), 0)

    def is_flat(self, atom: int) -> bool:
        """A carbon that is aromatic or has a double bond."""
        return self.symbols[atom] == "C" and (self.is_aromatic[atom] or DOUBLE in self.bonds[atom].values())


def parse(smiles: str) -> Molecule:
    """The molecule that a SMILES string draws; what it says of stereochemistry is left out.

    Raises:
        ValueError: it isn't SMILES.
    """
    molecule, branches, rings = Molecule(), [], {}
    before: int | None = None
    order: int | None = None
    pieces = PIECE.findall(smiles.strip())
    if "".join(pieces) != smiles.strip():
        raise ValueError(f"{smiles!r} is not SMILES")
    for piece in pieces:
        if piece == "(":
            branches.append(before)
        elif piece == ")":
            before = branches.pop()
        elif piece == ".":
            before = None
        elif piece in ORDERS:
            order = ORDERS[piece]
        elif piece[0] in "0123456789%":
            if piece in rings:
                start, opened_with = rings.pop(piece)
                molecule.bond(start, before, order if order is not None else opened_with)
            else:
                rings[piece] = before, order
            order = None
        else:
            atom = _atom(molecule, piece)
            if before is not None:
                molecule.bond(before, atom, order)
            before, order = atom, None
    if rings or branches:
        raise ValueError(f"{smiles!r} leaves a ring or a branch open")
    return molecule


def _atom(molecule: Molecule, piece: str) -> int:
    if not piece.startswith("["):
        return molecule.add(piece)
    found = BRACKET.match(piece)
    if found is None:
        raise ValueError(f"{piece} is not an atom")
    hydrogens = 0 if found["hydrogens"] is None else int(found["hydrogens"] or 1)
    charge = found["charge"] or ""
    size = int(charge[-1]) if charge[-1:].isdigit() else len(charge)
    return molecule.add(found["symbol"], hydrogens=hydrogens, charge=-size if charge.startswith("-") else size)


def scaffold(molecule: Molecule) -> set[int]:
    """The atoms of rings and of what links them, and those doubly bonded to one of these; none without a ring."""
    core = set(range(len(molecule.symbols)))
    while ends := {atom for atom in core if len(core & molecule.bonds[atom].keys()) < 2}:
        core -= ends
    return core | {other for atom in core for other, order in molecule.bonds[atom].items() if order == DOUBLE}


def scaffold_key(molecule: Molecule) -> int:
    """63 bits that name the scaffold, however its atoms are ordered; 0 without a ring.

    Every atom begins with its element and whether it is flat, and takes up its neighbours' names ``ROUNDS`` times
    (Weisfeiler and Leman's refinement); the key is a digest of all names.
    """
    atoms = scaffold(molecule)
    if not atoms:
        return 0
    names = {atom: f"{molecule.symbols[atom]}{int(molecule.is_flat(atom))}" for atom in atoms}
    for _ in range(ROUNDS):
        around = {atom: sorted(names[other] for other in molecule.bonds[atom] if other in atoms) for atom in atoms}
        names = {atom: _digest(f"{names[atom]}({','.join(around[atom])})").hex() for atom in atoms}
    return int.from_bytes(_digest(",".join(sorted(names.values()))), "big") >> 1


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def graph(molecule: Molecule) -> tuple[np.ndarray, np.ndarray]:
    """Atoms (SLOTS, 4): element, hydrogens, charge + 8, aromatic or not; bonds (SLOTS, SLOTS): orders. uint8, rest 0."""
    atoms, bonds = np.zeros((SLOTS, 4), dtype=np.uint8), np.zeros((SLOTS, SLOTS), dtype=np.uint8)
    for atom, symbol in enumerate(molecule.symbols):
        element = ELEMENTS.index(symbol) if symbol in ELEMENTS else len(ELEMENTS) - 1
        atoms[atom] = element, molecule.hydrogens(atom), molecule.charges[atom] + 8, molecule.is_aromatic[atom]
        for other, order in molecule.bonds[atom].items():
            bonds[atom, other] = order
    return atoms, bonds


def fetch(raw: Path) -> None:
    """Download ESOL, verify its checksum, write raw/molecules.npz.

    Raises:
        ValueError: what arrived isn't what project.toml names.
    """
    file = tomllib.loads(Path(__file__).with_name("project.toml").read_text(encoding="utf-8"))["data"]["files"][0]
    raw.mkdir(parents=True, exist_ok=True)
    table = raw / file["name"]
    if not table.exists():
        partial = table.with_suffix(".partial")
        with urllib.request.urlopen(file["url"], timeout=60) as answer, partial.open("wb") as kept:  # noqa: S310
            shutil.copyfileobj(answer, kept, 1 << 20)
        partial.replace(table)
    verify(table, sha256=file["sha256"])
    write_esol(raw, table)


def verify(table: Path, *, sha256: str) -> None:
    """Remove the file and raise unless it has this checksum."""
    if hashlib.sha256(table.read_bytes()).hexdigest() != sha256:
        table.unlink()
        raise ValueError(f"{table.name} is not the file named in project.toml; it was removed, fetch again")


def local(raw: Path, folder: Path) -> None:
    """Write raw/molecules.npz from ESOL in ``folder``/molecules/delaney-processed.csv."""
    write_esol(raw, folder / "molecules" / "delaney-processed.csv")


def write_esol(raw: Path, table: Path) -> None:
    """The molecules of ESOL's table with the logarithm of their measured solubility (mol/l), each molecule once."""
    with table.open(encoding="utf-8", newline="") as read:
        rows = list(csv.DictReader(read))
    values = {row["smiles"].strip(): float(row["measured log solubility in mols per litre"]) for row in rows}
    write_molecules(raw, values)


def write_molecules(raw: Path, values: dict[str, float]) -> None:
    """Write raw/molecules.npz: ``atoms``, ``bonds``, ``value`` and ``group``. Two atoms and fewer are left out."""
    kept = [
        (molecule, value) for smiles, value in values.items() if 3 <= len((molecule := parse(smiles)).symbols) <= SLOTS
    ]
    graphs = [graph(molecule) for molecule, _ in kept]
    raw.mkdir(parents=True, exist_ok=True)
    np.savez(
        raw / "molecules.npz",
        atoms=np.stack([atoms for atoms, _ in graphs]),
        bonds=np.stack([bonds for _, bonds in graphs]),
        value=np.array([value for _, value in kept], dtype=np.float32),
        group=np.array([scaffold_key(molecule) for molecule, _ in kept], dtype=np.int64),
    )


RINGS = (  # atom by atom; a star is where something may hang
    "c1* c* c* c* c* c1*", "c1* n c* c* c* c1*", "c1* n c* n c* c1*", "c1* c* n c* c* c1*", "c1* o c* c* c1*",
    "c1* s c* c* c1*", "c1* [nH] c* c* c1*", "C1* C* C* C* C* C1*", "C1* C* C* C* C1*", "C1* C* N* C* C* C1*",
    "C1* C* O C* C* C1*", "C1* C* C1*", "c1* c* c* c2 c* c* c* c* c2 c1*", "c1* c* c2 c* c* c* c* c2 [nH] 1",
)  # fmt: skip
LINKS = ("", "C", "O", "CC", "C(=O)N", "N", "S(=O)(=O)", "C=C", "CO", "CN")
CHAINS = (
    "C", "CC", "CCC", "C(C)C", "O", "N", "F", "Cl", "Br", "OC", "CO", "C(=O)O", "C#N", "C(F)(F)F", "[N+](=O)[O-]",
    "NC(C)=O", "CCO", "C(=O)OC", "S", "CCN",
)  # fmt: skip


def toy(raw: Path, seed: int) -> None:
    """Write raw/molecules.npz: made molecules on ``TOY_SCAFFOLDS`` scaffolds, common and rare ones; no network."""
    random = np.random.default_rng(seed)
    frames = [_frame(random) for _ in range(TOY_SCAFFOLDS)]
    often = 1.0 / np.arange(2, TOY_SCAFFOLDS + 2)
    values: dict[str, float] = {}
    while len(values) < TOY_MOLECULES:
        smiles = _decorated(frames[random.choice(TOY_SCAFFOLDS, p=often / often.sum())], random)
        values[smiles] = made_property(parse(smiles))
    write_molecules(raw, values)


def _frame(random: np.random.Generator) -> str:
    """One to three rings, each hung on the one before; stars say where chains may hang."""
    count = random.choice(3, p=(0.25, 0.5, 0.25)) + 1
    frame = ""
    for place in reversed(range(count)):
        ring = (
            str(random.choice(RINGS)).replace("2", str(2 * place + 2)).replace("1", str(2 * place + 1)).replace(" ", "")
        )
        stars = [spot for spot, letter in enumerate(ring) if letter == "*"]
        if frame:
            spot = stars[random.integers(1, len(stars))]
            ring = f"{ring[:spot]}({random.choice(LINKS)}{frame}){ring[spot + 1 :]}"
        frame = ring
    return frame


def _decorated(frame: str, random: np.random.Generator) -> str:
    """The frame with a chain at each star by chance, two on average."""
    pieces = frame.split("*")
    rate = min(2.0 / max(len(pieces) - 1, 1), 0.5)
    hung = [f"({random.choice(CHAINS)})" if random.random() < rate else "" for _ in pieces[1:]]
    return pieces[0] + "".join(chain + piece for chain, piece in zip(hung, pieces[1:], strict=True))


def made_property(molecule: Molecule) -> float:
    """A number with the habits of a solubility: parts that add up, and pairs that don't.

    Size and halogens lower it, polar hydrogens raise it, flat atoms lower it by more the more there are; two polar atoms
    two or three bonds apart cancel each other in part.
    """
    atoms = range(len(molecule.symbols))
    polar = [atom for atom in atoms if molecule.symbols[atom] in ("N", "O")]
    donors = sum(molecule.hydrogens(atom) > 0 for atom in polar)
    halogens = sum(molecule.symbols[atom] in ("F", "Cl", "Br") for atom in atoms)
    flat = sum(molecule.is_aromatic)
    near = sum(0 < _apart(molecule, one).get(other, 9) in (2, 3) for one in polar for other in polar if one < other)
    parts = 1.0 - 0.22 * len(molecule.symbols) + 0.45 * len(polar) + 0.5 * donors - 0.35 * halogens
    return parts - 0.012 * flat**1.5 - 0.4 * near


def _apart(molecule: Molecule, start: int) -> dict[int, int]:
    """Bonds between ``start`` and each atom at most three away."""
    apart, edge = {start: 0}, [start]
    for distance in (1, 2, 3):
        edge = [other for atom in edge for other in molecule.bonds[atom] if other not in apart]
        apart |= dict.fromkeys(edge, distance)
    return apart


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write public molecules with values and scaffolds, hidden molecules, and their values, apart from each other."""
    with np.load(raw / "molecules.npz", allow_pickle=False) as held:
        atoms, bonds, value, group = held["atoms"], held["bonds"], held["value"], held["group"]
    part = parts(group, secret=secret)
    ids = np.array([number(secret, f"id/{item}") for item in range(len(value))], dtype=np.int64)
    scaffold_ids = np.array([number(secret, f"scaffold/{key}") if key else 0 for key in group.tolist()], dtype=np.int64)
    moved = [
        shuffled(*pair, seed=number(secret, f"slots/{item}"))
        for item, pair in enumerate(zip(atoms, bonds, strict=True))
    ]
    atoms, bonds = (np.stack(arrays) for arrays in zip(*moved, strict=True))
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    shown, hidden = (rows[np.argsort(ids[rows])] for rows in (np.flatnonzero(part == which) for which in (0, 1)))
    np.savez_compressed(
        public / "train.npz",
        id=ids[shown], atoms=atoms[shown], bonds=bonds[shown], value=value[shown], scaffold=scaffold_ids[shown],
    )  # fmt: skip
    np.savez_compressed(inputs / "inputs.npz", id=ids[hidden], atoms=atoms[hidden], bonds=bonds[hidden])
    np.savez(answers / "answers.npz", id=ids[hidden], value=value[hidden], group=scaffold_ids[hidden])
    item = np.arange(len(ids), dtype=np.int64)
    np.savez(answers / "ledger.npz", id=ids, item=item, group=scaffold_ids, part=part)


def parts(group: np.ndarray, *, secret: bytes) -> np.ndarray:
    """Part of each molecule: whole scaffolds in the order of their HMAC, hidden until ``HIDDEN_SHARE`` is reached."""
    keys, inverse, sizes = np.unique(group, return_inverse=True, return_counts=True)
    may_be_hidden = (keys != 0) & (sizes <= COMMON * len(group))
    order = sorted(np.flatnonzero(may_be_hidden), key=lambda place: number(secret, f"group/{keys[place]}"))
    before = np.concatenate([[0], np.cumsum(sizes[order])[:-1]])
    part = np.zeros(len(keys), dtype=np.int64)
    part[order] = before < HIDDEN_SHARE * len(group)
    return part[inverse.reshape(-1)]


def shuffled(atoms: np.ndarray, bonds: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same molecule with its atoms in other slots."""
    order = np.random.default_rng(seed).permutation(SLOTS)
    return atoms[order], bonds[order][:, order]


def number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"unseen-scaffolds/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1
