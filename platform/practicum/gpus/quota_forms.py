"""The matrix of quotas as a form: one small form a cell, and what each cell said when the page was made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.functional import cached_property

from practicum.errors import Invalid
from practicum.gpus.quota_rules import Terms, first_overrun, fullest_day, guaranteed_on, written
from practicum.gpus.quota_selectors import Cell, Grid, PoolLine
from practicum.gpus.quotas import Change, QuotasMoved, UnfitQuotas
from practicum.internships.models import Cohort

DAYS = ("from_on", "to_on")
OUT_OF_DATE = "This page can't be read any more. Open it again and fill it in anew."


def _count(label: str, *, empty: str = "") -> forms.IntegerField:
    attributes = {"inputmode": "numeric", "min": 0, "step": 1} | ({"placeholder": empty} if empty else {})
    return forms.IntegerField(label=label, required=False, widget=forms.NumberInput(attrs=attributes))


def _day(label: str) -> forms.DateField:
    return forms.DateField(
        label=label, required=False, widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )


class QuotaForm(forms.Form):
    """One cell. Wholly empty it is no quota. ``terms`` after it was found valid."""

    guaranteed = _count("Guaranteed")
    weight = forms.FloatField(
        required=False,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "min": 0, "step": "any", "placeholder": "1"}),
    )
    borrowing_limit = _count("Borrows at most", empty="no limit")
    lending_limit = _count("Lends at most", empty="no limit")
    per_intern = _count("Each intern at most", empty="no limit")
    session_hours = _count("Longest session (hours)", empty="the cohort's")
    from_on = _day("From")
    to_on = _day("To")

    terms: Terms | None = None

    def clean(self) -> dict[str, Any]:
        """Empty is no quota; a weight alone, or a limit alone, needs to be told what is guaranteed."""
        cleaned = super().clean() or {}
        typed = {name: value for name, value in cleaned.items() if value is not None}
        if typed and "guaranteed" not in typed and "guaranteed" not in self.errors:
            self.add_error("guaranteed", "Write 0 to guarantee nothing, or clear the whole cell for no quota.")
        self.terms = Terms(**typed) if typed and not self.errors else None
        return cleaned

    @property
    def main(self) -> list[forms.BoundField]:
        """What is seen at once."""
        return [self[name] for name in ("guaranteed", "weight")]

    @property
    def rest(self) -> list[forms.BoundField]:
        """What is unfolded."""
        return [self[name] for name in self.fields if name not in ("guaranteed", "weight")]

    @property
    def is_open(self) -> bool:
        """Something in the unfolded part needs to be looked at."""
        return any(field.errors for field in self.rest)

    @property
    def gist(self) -> str:
        """The unfolded part in a few words."""
        said = [f"{field.label}: {value}" for field in self.rest if (value := field.value()) not in (None, "")]
        return ", ".join(said)


@dataclass
class SheetCell:
    """A cohort and a pool, and what is in the cell."""

    line: PoolLine
    form: QuotaForm
    note: str = ""


@dataclass
class SheetColumn:
    """A pool, and how its guarantees add up as the rows say; ``error`` is about what was sent."""

    line: PoolLine
    guaranteed: int
    overrun: str
    outlook: str
    error: str = ""


@dataclass
class SheetRow:
    """A cohort with a cell a pool."""

    cohort: Cohort
    is_over: bool
    cells: list[SheetCell]


class Sheet:
    """The whole matrix. Unbound it shows the rows; with ``sent`` it keeps what was typed and knows what was changed.

    ``kept``: only these cells keep what was typed, the others show the rows again.
    """

    def __init__(
        self, grid: Grid, *, today: date, sent: QueryDict | None = None, kept: set[Cell] | None = None
    ) -> None:
        self.grid = grid
        self.today = today
        seen = {} if sent is None else _read_seen(sent)
        self.found: dict[Cell, Terms | None] = {**grid.terms, **(seen if kept is None else {})}
        typed = set(seen) if kept is None else kept
        self.forms = {cell: self._form(cell, sent=sent if cell in typed else None) for cell in self._cells()}
        self.columns = {line.pool.pk: self._column(line) for line in grid.pools}
        self.notes: dict[Cell, str] = {}

    def _cells(self) -> list[Cell]:
        return [(cohort.pk, line.pool.pk) for cohort in self.grid.cohorts for line in self.grid.pools]

    def _form(self, cell: Cell, *, sent: QueryDict | None) -> QuotaForm:
        prefix = f"q{cell[0]}-{cell[1]}"
        if sent is not None and f"{prefix}-guaranteed" not in sent:
            raise Invalid(OUT_OF_DATE)
        return QuotaForm(sent, prefix=prefix, initial=_written_down(self.grid.terms.get(cell)))

    def _column(self, line: PoolLine) -> SheetColumn:
        shares = self.grid.shares(line.pool.pk)
        overrun = first_overrun(shares, slots=line.slots, parts=line.parts, since=self.today)
        fullest = fullest_day(shares, since=self.today)
        most = guaranteed_on(fullest, shares)
        return SheetColumn(
            line=line,
            guaranteed=guaranteed_on(self.today, shares),
            overrun="" if overrun is None else overrun.sentence(today=self.today),
            outlook="" if fullest == self.today else f"{most} on {written(fullest, today=self.today)}",
        )

    @property
    def rows(self) -> Iterator[SheetRow]:
        """For the page."""
        for cohort in self.grid.cohorts:
            cells = [
                SheetCell(line, self.forms[cohort.pk, line.pool.pk], self.notes.get((cohort.pk, line.pool.pk), ""))
                for line in self.grid.pools
            ]
            yield SheetRow(cohort=cohort, is_over=cohort.ends_on < self.today, cells=cells)

    @cached_property
    def seen(self) -> str:
        """What the cells said when the page was made, for the page to send back."""
        known = {cell: self.found.get(cell) for cell in self.forms}
        return json.dumps(
            {f"{cell[0]}-{cell[1]}": terms and asdict(terms) for cell, terms in known.items()}, default=date.isoformat
        )

    def is_valid(self) -> bool:
        """Everything that was typed can be read."""
        return all(form.is_valid() for form in self.forms.values() if form.is_bound)

    def changes(self) -> list[Change]:
        """What was typed and differs from what the page showed."""
        return [
            Change(cohort_id=cell[0], pool_id=cell[1], before=self.found.get(cell), after=form.terms)
            for cell, form in self.forms.items()
            if form.is_bound and form.terms != self.found.get(cell)
        ]

    def tell(self, refusal: UnfitQuotas) -> None:
        """Put what was refused where it belongs."""
        cells: Mapping[Cell, list[tuple[str, str]]] = refusal.facts["cells"]  # type: ignore[assignment]
        pools: Mapping[int, str] = refusal.facts["pools"]  # type: ignore[assignment]
        for cell, refusals in cells.items():
            for field, sentence in refusals:
                self.forms[cell].add_error(field, sentence)
        for pool_id, sentence in pools.items():
            self.columns[pool_id].error = sentence

    def tell_moved(self, refusal: QuotasMoved) -> None:
        """Say in each cell that moved what it is now; what was typed stays beside it."""
        moved: list[Cell] = refusal.facts["cells"]  # type: ignore[assignment]
        for cell in moved:
            terms = self.grid.terms.get(cell)
            now = "there is no quota" if terms is None else f"{terms.guaranteed} guaranteed, weight {terms.weight:g}"
            self.notes[cell] = f"Somebody else changed this meanwhile: {now} now. Save again to put yours in its place."

    def terms(self) -> dict[Cell, Terms]:
        """What the whole matrix says: what was typed, and the rows where nothing could be."""
        said: dict[Cell, Terms | None] = dict(self.grid.terms)
        said |= {cell: form.terms for cell, form in self.forms.items() if form.is_bound}
        return {cell: terms for cell, terms in said.items() if terms is not None}

    @property
    def has_errors(self) -> bool:
        """Something on the page needs to be put right."""
        return any(form.errors for form in self.forms.values() if form.is_bound) or any(
            column.error for column in self.columns.values()
        )


def filled(grid: Grid, *, today: date, terms: Mapping[Cell, Terms]) -> Sheet:
    """The matrix as if somebody had typed ``terms`` over what the rows say; nothing is saved."""
    typed = QueryDict(mutable=True)
    typed["seen"] = Sheet(grid, today=today).seen
    for cohort in grid.cohorts:
        for line in grid.pools:
            written_down = _written_down(terms.get((cohort.pk, line.pool.pk)))
            for name in QuotaForm.base_fields:
                value = written_down.get(name)
                typed[f"q{cohort.pk}-{line.pool.pk}-{name}"] = "" if value is None else str(value)
    return Sheet(grid, today=today, sent=typed)


def _written_down(terms: Terms | None) -> dict[str, Any]:
    """The terms as a person would type them: a whole weight without its point."""
    if terms is None:
        return {}
    return asdict(terms) | {"weight": int(terms.weight) if terms.weight.is_integer() else terms.weight}


def _read_seen(sent: QueryDict) -> dict[Cell, Terms | None]:
    """What the page said it showed.

    Raises:
        Invalid: it is not there, or not as the page wrote it.
    """
    try:
        written_down = json.loads(str(sent["seen"]))
        return {
            (int(key.split("-")[0]), int(key.split("-")[1])): None if terms is None else _terms(terms)
            for key, terms in written_down.items()
        }
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise Invalid(OUT_OF_DATE) from error


def _terms(facts: dict[str, Any]) -> Terms:
    days = {name: facts[name] and date.fromisoformat(facts[name]) for name in DAYS}
    return Terms(**{**facts, **days})
