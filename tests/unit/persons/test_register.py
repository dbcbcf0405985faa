"""Nothing about a person is kept of which the register does not say what becomes of it, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps
from django.core.exceptions import FieldError
from django.db import models

from practicum.accounts.models import Notice, User
from practicum.internships.models import Cohort, Milestone
from practicum.persons.fields import empty_of, people_of, personal_models, texts_of
from practicum.persons.register import LINES, Line, What

DOCS = Path(__file__).parents[3] / "docs" / "persons.md"


def named(model: type[models.Model]) -> set[str]:
    """The fields of a model that some line names."""
    return {name for line in LINES if apps.get_model(line.model) is model for name in line.fields}


def unnamed(model: type[models.Model]) -> set[str]:
    """Its fields that point to an account or hold text, and that no line names."""
    return {*people_of(model), *texts_of(model)} - named(model)


@pytest.mark.parametrize("model", sorted(personal_models(), key=lambda m: m._meta.label), ids=lambda m: m._meta.label)
def test_every_pointer_to_an_account_and_every_text_is_in_the_register(model: type[models.Model]) -> None:
    assert unnamed(model) == set()


def test_a_new_text_of_a_model_that_leads_to_a_person_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    field = models.CharField(max_length=10)
    field.name, field.related_model = "nickname", None
    told = [*Milestone._meta.concrete_fields, field]
    monkeypatch.setattr(Milestone._meta, "concrete_fields", told, raising=False)
    assert unnamed(Milestone) == {"nickname"}


def test_models_that_lead_to_a_person_over_others_are_looked_at() -> None:
    assert {User, Notice, Milestone} <= personal_models()
    assert Cohort not in personal_models()


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.model} {' '.join(line.fields)} {line.of}")
def test_a_line_names_fields_that_are_there_a_way_to_the_person_and_a_reason(line: Line) -> None:
    model = apps.get_model(line.model)
    for name in line.fields:
        assert model._meta.get_field(name)
    try:
        model._default_manager.filter(**{line.of or "pk": 1})
    except FieldError as fault:
        pytest.fail(str(fault))
    assert line.told
    assert line.why


def test_what_is_emptied_can_be_empty() -> None:
    for line in LINES:
        model = apps.get_model(line.model)
        for name in line.fields if line.what == What.ANONYMISE and line.of and not line.says else ():
            assert empty_of(model, name) in (None, "", [], {}), f"{line.model}.{name}"


def test_the_table_in_the_documentation_is_the_register() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for line in LINES:
        fields = ", ".join(f"`{name}`" for name in line.fields)
        assert f"| {line.told} | `{line.model}`: {fields} | {line.what} | {line.why} |" in text
