"""Certificates, the issuer's keys, and portfolios.

A certificate is *preparing* (the work is executed again), then *issued*, and may be *revoked*. Once issued its ``facts``
never change. What of them is shown is its intern's to say: ``visibility`` and ``parts``. For each choice of parts that is
asked for there is one *signed document*; a document that was signed stays as it is.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from practicum.evaluation.models import Run
from practicum.internships.models import Internship
from practicum.submissions.models import Submission


class CertificateState(models.TextChoices):
    """How far a certificate is."""

    PREPARING = "preparing", "Being prepared"
    ISSUED = "issued", "Issued"
    REVOKED = "revoked", "Revoked"


class Visibility(models.TextChoices):
    """Who may see an issued certificate, beside its intern, its mentor and admins."""

    PRIVATE = "private", "Nobody else"
    LINK = "link", "Whoever has its address"
    LISTED = "listed", "Everybody; it is on the portfolio page"


class IssuerKey(models.Model):
    """A public key of this site; the private one lies in a file. Retired: signs no more, what it signed stays valid."""

    multikey = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField()
    is_in_use = models.BooleanField(default=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(
        null=True, blank=True, help_text="Somebody else may have it: nothing it signed counts any more."
    )

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_in_use"], condition=models.Q(is_in_use=True), name="one_issuer_key_in_use"
            )
        ]

    def __str__(self) -> str:
        return self.multikey


class Certificate(models.Model):
    """What one completed internship came to."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    place = models.PositiveIntegerField(unique=True, help_text="In the list of revoked certificates, from 0.")
    internship = models.OneToOneField(Internship, on_delete=models.PROTECT, related_name="certificate")
    state = models.CharField(max_length=10, choices=CertificateState, default=CertificateState.PREPARING)
    begun_at = models.DateTimeField()
    submission = models.ForeignKey(
        Submission, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="The work it is about."
    )
    run = models.ForeignKey(
        Run, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="The execution for it."
    )
    may_be_early = models.BooleanField(
        default=False,
        help_text="Its final score may be told before the leaderboard's are released: a mentor decided so.",
    )
    replay = models.JSONField(null=True, blank=True, help_text="What the replay bundle gave here: {value} or {reason}.")
    facts = models.JSONField(default=dict, blank=True)
    issued_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_because = models.CharField(max_length=300, blank=True)
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.PRIVATE)
    parts = models.JSONField(default=list, blank=True, help_text="What others see of it; names of ``rules.PARTS``.")

    class Meta:
        ordering = ["-begun_at"]
        indexes = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return f"certificate of {self.internship}"


class SignedDocument(models.Model):
    """A certificate with some of its parts, as it was signed."""

    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="documents")
    key = models.ForeignKey(IssuerKey, on_delete=models.PROTECT, related_name="+")
    parts = models.CharField(max_length=100, help_text="Their names, in order, with commas.")
    document = models.JSONField()
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["certificate", "signed_at"]
        constraints = [
            models.UniqueConstraint(fields=["certificate", "parts", "key"], name="one_document_a_choice_and_key")
        ]

    def __str__(self) -> str:
        return f"{self.certificate} with {self.parts or 'no parts'}"


class Portfolio(models.Model):
    """An intern's own page; without a row, or while not public, there is none."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="portfolio")
    is_public = models.BooleanField(default=False)
    headline = models.CharField(max_length=120, blank=True)
    words = models.TextField(max_length=4000, blank=True)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"portfolio of {self.user}"
