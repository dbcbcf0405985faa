"""The planner's form: the matrix of quotas as it might be, the slots there might be, and which weeks are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django import forms
from django.http import QueryDict

from practicum.errors import Invalid
from practicum.gpus.demand import MOST_WEEKS
from practicum.gpus.plan_rules import MOST_SLOTS, Question, Setting
from practicum.gpus.quota_forms import OUT_OF_DATE, Sheet, filled
from practicum.gpus.quota_rules import first_overrun, unfit
from practicum.gpus.quota_selectors import Cell, Grid
from practicum.gpus.quotas import UnfitQuotas
from practicum.lib.fields import YesOrNoField

USUAL_WEEKS = 4
IDLE_MINUTES = (5, 7 * 24 * 60)


class PlanForm(forms.Form):
    """What is supposed besides the quotas: slots of each pool, the idle time, and how many weeks are replayed."""

    weeks = forms.TypedChoiceField(
        label="Replay the last", coerce=int, error_messages={"invalid_choice": "Choose one of the list."}
    )
    idle_minutes = forms.IntegerField(
        label="Idle leases end after (minutes)",
        required=False,
        min_value=IDLE_MINUTES[0],
        max_value=IDLE_MINUTES[1],
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "placeholder": "each cohort's own"}),
        error_messages={
            "min_value": f"Choose {IDLE_MINUTES[0]} minutes or more.",
            "max_value": f"Choose {IDLE_MINUTES[1]} minutes, a week, or less.",
        },
    )

    is_idle_kept = YesOrNoField(
        label="They end",
        required=False,
        choices=[("", "as each cohort has it"), ("no", "always"), ("yes", "only once somebody waits")],
    )

    def __init__(self, sent: Mapping[str, Any] | None, *, grid: Grid, known: int, **more: Any) -> None:
        super().__init__(sent, **more)
        weeks = [(n, "week" if n == 1 else f"{n} weeks") for n in range(1, min(known, MOST_WEEKS) + 1)]
        self.fields["weeks"].choices = weeks  # type: ignore[attr-defined]
        self.lines = {f"slots-{line.pool.pk}": line for line in grid.pools}
        for name, line in self.lines.items():
            attributes = {"inputmode": "numeric", "data-slots-of": line.pool.pk}
            self.fields[name] = forms.IntegerField(
                label=f"Slots of {line.pool.name}",
                min_value=0,
                max_value=MOST_SLOTS,
                widget=forms.NumberInput(attrs=attributes),
                error_messages={
                    "required": "Write how many slots there might be; 0 for none.",
                    "min_value": f"Choose 0 to {MOST_SLOTS} slots.",
                    "max_value": f"Choose 0 to {MOST_SLOTS} slots.",
                },
            )

    @property
    def pools(self) -> list[forms.BoundField]:
        """The numbers of slots."""
        return [self[name] for name in self.lines]

    def slots(self) -> dict[int, int]:
        """As typed; where that can't be read, as they are."""
        typed = self.cleaned_data if self.is_bound else self.initial
        return {line.pool.pk: typed.get(name, line.slots) for name, line in self.lines.items()}


@dataclass
class Desk:
    """The whole form: ``plan`` and the ``sheet`` of quotas, whose columns speak of the slots that are supposed."""

    grid: Grid
    today: date
    plan: PlanForm
    sheet: Sheet

    @classmethod
    def opened(cls, grid: Grid, *, today: date, known: int, like: Question | None = None) -> Desk:
        """As it is now, or as a former plan supposed."""
        present = {line.pool.pk: line.slots for line in grid.pools}
        slots = present if like is None else {pool: like.planned.slots.get(pool, present[pool]) for pool in present}
        first: dict[str, Any] = {f"slots-{pool}": count for pool, count in slots.items()}
        first["weeks"] = min(USUAL_WEEKS if like is None else like.weeks, max(known, 1))
        first["idle_minutes"] = None if like is None else like.planned.idle_minutes
        first["is_idle_kept"] = None if like is None else like.planned.is_idle_kept
        supposed = _supposing(grid, slots=slots)
        sheet = Sheet(supposed, today=today)
        if like is not None:
            sheet = filled(supposed, today=today, terms=like.planned.quotas)
        return cls(grid, today, PlanForm(None, grid=grid, known=known, initial=first), sheet)

    @classmethod
    def sent(cls, grid: Grid, *, today: date, known: int, sent: QueryDict) -> Desk:
        """What was typed, all of it kept.

        Raises:
            Invalid: it is not what the page sends.
        """
        form = PlanForm(sent, grid=grid, known=known)
        if not all(name in sent for name in ("weeks", *form.lines)):
            raise Invalid(OUT_OF_DATE)
        form.is_valid()
        sheet = Sheet(_supposing(grid, slots=form.slots()), today=today, sent=sent)
        return cls(grid, today, form, sheet)

    def question(self) -> Question | None:
        """What is asked; None where something can't be, which is then said beside it."""
        if not (self.sheet.is_valid() and self.plan.is_valid()):
            return None
        present = Setting({line.pool.pk: line.slots for line in self.grid.pools}, self.grid.terms)
        idle = [self.plan.cleaned_data[name] for name in ("idle_minutes", "is_idle_kept")]
        planned = Setting(self.plan.slots(), self.sheet.terms(), *idle)
        question = Question(self.plan.cleaned_data["weeks"], present, planned)
        refusal = self._refusal(question)
        if refusal is not None:
            self.sheet.tell(refusal)
        return question if refusal is None else None

    def _refusal(self, question: Question) -> UnfitQuotas | None:
        present, planned = question.present, question.planned
        changed = {cell: terms for cell, terms in planned.quotas.items() if terms != present.quotas.get(cell)}
        cells = {cell: found for cell, terms in changed.items() if (found := unfit(terms, today=self.today))}
        pools: dict[int, str] = {}
        parts = {line.pool.pk: line.parts for line in self.grid.pools}
        for pool, count in planned.slots.items():
            shares = replace(self.grid, terms=dict(planned.quotas)).shares(pool)
            # What was too much already may stay so, as on the page of quotas; but not for fewer slots than there are.
            before = self.grid.shares(pool) if count >= present.slots[pool] else None
            overrun = first_overrun(shares, slots=count, parts=parts[pool], since=self.today, before=before)
            if overrun is not None:
                pools[pool] = overrun.sentence(today=self.today)
        cells_told: dict[Cell, list[tuple[str, str]]] = dict(cells)
        return UnfitQuotas("It can't be replayed like this.", cells=cells_told, pools=pools) if cells or pools else None

    @property
    def has_errors(self) -> bool:
        """Something on the page needs to be put right."""
        return bool(self.plan.errors) or self.sheet.has_errors


def _supposing(grid: Grid, *, slots: Mapping[int, int]) -> Grid:
    """The same matrix over so many slots."""
    return replace(grid, pools=[replace(line, slots=slots[line.pool.pk]) for line in grid.pools])
