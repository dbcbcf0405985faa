"""Users. A user has exactly one role, and it is never taken from anything the user sends.

Words: *intern* works on a project; *mentor* publishes projects and reviews; *admin* runs the place. A *notice* tells a
person what happened and what to do; a *delivery* carries it out of the site, once for each way the person chose.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models

USERNAME_PATTERN = r"^[a-z][a-z0-9-]{1,30}$"


class Role(models.TextChoices):
    """What a person is here for."""

    INTERN = "intern", "Intern"
    MENTOR = "mentor", "Mentor"
    ADMIN = "admin", "Admin"


class User(AbstractUser):
    """A person with an account. ``uuid`` is the subject the OpenID provider gives out; it never changes."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    username = models.CharField(
        max_length=31,
        unique=True,
        validators=[RegexValidator(USERNAME_PATTERN, "Use 2 to 31 lower-case letters, digits and hyphens.")],
    )
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=8, choices=Role, default=Role.INTERN)
    must_choose_password = models.BooleanField(
        default=False, help_text="The password was made by an admin; no page opens before a new one is chosen."
    )
    must_leave_hub = models.BooleanField(
        default=False, help_text="The hub has still to forget this person; the worker asks it until it has."
    )
    deleted_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since then the person's data are being deleted; the account opens never again.",
    )

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]

    REQUIRED_FIELDS = ["email", "name"]

    def __str__(self) -> str:
        return self.name or self.username

    def get_full_name(self) -> str:
        """The name as the person writes it."""
        return self.name

    def get_short_name(self) -> str:
        """The first word of the name."""
        return self.name.split(" ")[0] if self.name else self.username

    @property
    def is_intern(self) -> bool:
        """This person works on a project."""
        return self.role == Role.INTERN

    @property
    def is_mentor(self) -> bool:
        """This person reviews."""
        return self.role == Role.MENTOR

    @property
    def is_admin(self) -> bool:
        """This person runs the place."""
        return self.role == Role.ADMIN


class NoticeSettings(models.Model):
    """How a person wants to be told. Without a row: by e-mail, and once a day what needs them."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notice_settings")
    by_email = models.BooleanField(default=True)
    webhook_url = models.URLField(max_length=500, blank=True)
    secret_number = models.PositiveIntegerField(
        default=0, help_text="Which of the person's signing secrets is in use; the secret itself is derived, not kept."
    )

    digest_hour = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        default=8,
        help_text="From this hour on, site's time, the daily mail goes out; empty: none.",
    )

    def __str__(self) -> str:
        return f"how to tell {self.user_id}"


class MailWay(models.TextChoices):
    """When a kind of notice comes by e-mail."""

    NOW = "now", "At once"
    DIGEST = "digest", "In the daily mail"
    OFF = "off", "Not by e-mail"


class NoticeChoice(models.Model):
    """How one kind of notice (``kinds.KINDS``) reaches a person. Without a row: at once, on every way they have."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notice_choices")
    kind = models.CharField(max_length=40)
    mail = models.CharField(max_length=6, choices=MailWay, default=MailWay.NOW)
    webhook = models.BooleanField(default=True)

    class Meta:
        ordering = ["user", "kind"]
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="one_choice_a_kind")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}: {self.mail}"


class Notice(models.Model):
    """One thing a person is told. ``key`` names what happened: told twice, it is one notice."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=120)
    body = models.TextField()
    path = models.CharField(max_length=300, help_text="The page of this site where it goes on.")
    key = models.CharField(max_length=200)
    made_at = models.DateTimeField(db_index=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_notice_a_key")]
        indexes = [
            models.Index(fields=["user", "-made_at"]),
            models.Index(fields=["user"], condition=models.Q(read_at__isnull=True), name="unread_notices"),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def url(self) -> str:
        """The full address of the page where it goes on."""
        return f"{settings.PRACTICUM_SITE_URL}{self.path}"


class Channel(models.TextChoices):
    """A way out of the site."""

    MAIL = "mail", "E-mail"
    WEBHOOK = "webhook", "Webhook"


class DeliveryState(models.TextChoices):
    """How far a delivery is."""

    WAITING = "waiting", "On its way"
    SENT = "sent", "Sent"
    FAILED = "failed", "Not sent"


class Delivery(models.Model):
    """A notice on one way out. Who sends it raises ``token`` by one; a write with an older token writes nothing."""

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=8, choices=Channel)
    state = models.CharField(max_length=8, choices=DeliveryState, default=DeliveryState.WAITING)
    token = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(help_text="While somebody sends it: when their claim ends.")
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["next_try_at", "id"]
        constraints = [models.UniqueConstraint(fields=["notice", "channel"], name="one_delivery_a_channel")]
        indexes = [
            models.Index(
                fields=["channel", "next_try_at"], condition=models.Q(state="waiting"), name="waiting_deliveries"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} of {self.notice_id} ({self.state})"
