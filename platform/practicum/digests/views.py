"""Where an admin sets to which chat a cohort's news goes."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import get_current_timezone_name
from django.views.decorators.http import require_http_methods, require_POST

from practicum.accounts.access import PersonRequest, admins_only
from practicum.digests import selectors, services
from practicum.digests.forms import WebhookForm
from practicum.digests.services import Telling
from practicum.errors import Conflict, Refused
from practicum.internships.forms import tell
from practicum.internships.selectors import cohort_of_admin
from practicum.lib.clock import utc_now

NONE = Telling(0, tells_reviews=False, tells_board=False, tells_milestones=False, tells_applications=False)


@admins_only
@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Read and change the webhook of a cohort."""
    cohort = cohort_of_admin(cohort_slug)
    row = selectors.webhook_of(cohort)
    form = WebhookForm(request.POST if request.method == "POST" else None, webhook=row)
    status = 400 if form.is_bound else 200
    if form.is_valid():
        try:
            services.set_webhook(request.user, cohort=cohort, url=form.address, telling=form.telling, now=utc_now())
        except Refused as refusal:
            refusal.facts["field"] = (
                "url" if refusal.facts.get("field") == "webhook_url" else refusal.facts.get("field")
            )
            status = tell(form, refusal)
        else:
            messages.success(request, "Saved. Post a test to see that it arrives.")
            return redirect("digests:webhook", cohort.slug)
    facts = {"cohort": cohort, "webhook": row, "form": form, "last": selectors.last_post_of(row) if row else None}
    return render(request, "digests/webhook.html", facts | {"time_zone": get_current_timezone_name()}, status=status)


@admins_only
@require_POST
def test(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Post a test."""
    cohort = cohort_of_admin(cohort_slug)
    row = selectors.webhook_of(cohort)
    if row is None:
        raise Conflict("This cohort has no webhook yet.")
    try:
        services.send_test(request.user, webhook=row, now=utc_now())
    except services.NotPosted as refusal:
        messages.warning(request, refusal.message)
    else:
        messages.success(request, "The test arrived.")
    return redirect("digests:webhook", cohort.slug)


@admins_only
@require_POST
def remove(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Post nothing any more."""
    cohort = cohort_of_admin(cohort_slug)
    services.set_webhook(request.user, cohort=cohort, url="", telling=NONE, now=utc_now())
    messages.success(request, "The webhook is removed.")
    return redirect("digests:webhook", cohort.slug)
