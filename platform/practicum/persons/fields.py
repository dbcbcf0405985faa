"""Which models lead to a person, and which of their fields hold text: read from the models, so that none is forgotten."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.apps import apps
from django.db import models

from practicum.accounts.models import User

Model = type[models.Model]
TEXTS = (models.CharField, models.TextField, models.JSONField)


@cache
def personal_models() -> frozenset[Model]:
    """Every model whose rows point to an account, over however many others."""
    found: set[Model] = {User}
    while more := {model for model in apps.get_models() if model not in found and _owners_of(model) & found}:
        found |= more
    return frozenset(found)


def _owners_of(model: Model) -> set[Model]:
    ways = (field for field in model._meta.concrete_fields if field.is_relation)
    return {field.related_model for field in ways if isinstance(field.related_model, type)}


def people_of(model: Model) -> list[str]:
    """Its fields that point to an account."""
    return [field.name for field in model._meta.concrete_fields if field.related_model is User]


def texts_of(model: Model) -> list[str]:
    """Its fields that hold text or JSON; those that hold one of some fixed words are left out."""
    return [field.name for field in model._meta.concrete_fields if isinstance(field, TEXTS) and not field.choices]


def empty_of(model: Model, name: str) -> Any:
    """What an emptied field holds."""
    field: Any = model._meta.get_field(name)
    if field.null:
        return None
    if isinstance(field, models.JSONField):
        return field.get_default() if field.has_default() else []
    return ""
