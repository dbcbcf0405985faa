"""The record of who did what to what. Rows are written once and never changed or deleted.

One exception: when a person's data are deleted, their name and their words go from the facts; the verb stays.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models


class AppendOnly(models.QuerySet["Record"]):
    """A queryset that refuses to change history."""

    def update(self, **_: Any) -> int:
        """Refused."""
        raise TypeError("Audit records are never changed.")

    def put_under_pseudonym(self, record: Record, *, facts: dict[str, Any]) -> None:
        """The facts without the name and the words of a person whose data are deleted; who, what and when stay."""
        super(AppendOnly, self.filter(pk=record.pk)).update(facts=facts)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused."""
        raise TypeError("Audit records are never deleted.")


class Record(models.Model):
    """One verb: ``actor`` (null for the platform itself) did ``verb`` to ``object_type``/``object_id`` at ``at``."""

    at = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    verb = models.CharField(max_length=60, db_index=True)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=60)
    facts = models.JSONField(default=dict)

    objects = AppendOnly.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["object_type", "object_id"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.verb} {self.object_type} {self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write a new record; an existing one is refused."""
        if self.pk is not None:
            raise TypeError("Audit records are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *_: Any, **__: Any) -> tuple[int, dict[str, int]]:
        """Refused."""
        raise TypeError("Audit records are never deleted.")
