"""What goes out once a day: a mail to a person, a message to a cohort's webhook.

There is one row for each person, or webhook, and local day, by constraint; that is why nobody gets two. States: ``waiting``
→ ``sending`` → ``sent``, or ``failed``; ``nothing``: there was nothing to say that day. Who sends a row moves it to
``sending`` first. One found there after its claim has ended may have gone out already: it has failed, and is not sent again.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from practicum.internships.models import Cohort


class OutgoingState(models.TextChoices):
    """How far it is."""

    NOTHING = "nothing", "Nothing to say"
    WAITING = "waiting", "On its way"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    FAILED = "failed", "Not sent"


class Outgoing(models.Model):
    """What both have in common. The text is emptied once it is sent."""

    day = models.DateField(help_text="By the site's clock.")
    made_at = models.DateTimeField(db_index=True)
    body = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=OutgoingState, default=OutgoingState.WAITING)
    token = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(help_text="While it is being sent: when that claim ends.")
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        abstract = True


class Digest(Outgoing):
    """A person's daily mail."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="digests")
    subject = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["-day", "user"]
        constraints = [models.UniqueConstraint(fields=["user", "day"], name="one_digest_a_person_and_day")]
        indexes = [models.Index(fields=["state", "next_try_at"])]

    def __str__(self) -> str:
        return f"digest of {self.user_id} for {self.day} ({self.state})"


class CohortWebhook(models.Model):
    """Where a cohort's news is posted once a day, as ``{"text": …}``, and which. The address is a secret of the chat."""

    cohort = models.OneToOneField(Cohort, on_delete=models.CASCADE, related_name="webhook")
    url = models.URLField(max_length=500)
    hour = models.PositiveSmallIntegerField(default=8, help_text="It is posted from this hour on, site's time.")
    tells_reviews = models.BooleanField(default=True)
    tells_board = models.BooleanField(default=True)
    tells_milestones = models.BooleanField(default=True)
    tells_applications = models.BooleanField(default=False)
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["cohort"]

    def __str__(self) -> str:
        return f"webhook of {self.cohort}"


class CohortPost(Outgoing):
    """What was posted of a cohort on one day. ``board``: the best scores as told then, by project and internship."""

    webhook = models.ForeignKey(CohortWebhook, on_delete=models.CASCADE, related_name="posts")
    board = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-day", "webhook"]
        constraints = [models.UniqueConstraint(fields=["webhook", "day"], name="one_post_a_cohort_and_day")]
        indexes = [models.Index(fields=["state", "next_try_at"])]

    def __str__(self) -> str:
        return f"post of {self.webhook} for {self.day} ({self.state})"
