"""Where admins put people in: accounts, cohorts, internships. A one-time password stands in one answer, and nowhere else."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from practicum.accounts import factors
from practicum.accounts import services as accounts_services
from practicum.accounts.access import PersonRequest, admins_only
from practicum.accounts.models import User
from practicum.accounts.selectors import account_by_id
from practicum.errors import Invalid, Refused
from practicum.internships import cohorts
from practicum.internships import services as internship_services
from practicum.internships.forms import CohortForm, tell
from practicum.internships.selectors import internship_for
from practicum.lib.clock import utc_now
from practicum.portal.forms import AccountFilter, AccountForm, EndForm, InternshipForm, MentorForm
from practicum.portal.views import internship_page

ROWS_A_PAGE = 50
UNUSABLE = 400


def _sent(request: PersonRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


@admins_only
@require_safe
def accounts(request: PersonRequest) -> HttpResponse:
    """Every account, by name, a page at a time."""
    narrowing = AccountFilter(request.GET)
    page = Paginator(factors.with_factors(narrowing.accounts()), ROWS_A_PAGE).get_page(request.GET.get("page"))
    is_narrowed = any(request.GET.get(name) for name in narrowing.fields)
    return render(request, "portal/accounts.html", {"page": page, "narrowing": narrowing, "is_narrowed": is_narrowed})


@admins_only
@require_http_methods(["GET", "POST"])
@sensitive_variables("password")
def new_account(request: PersonRequest) -> HttpResponse:
    """Open an account; the answer shows its one-time password."""
    form = AccountForm(_sent(request))
    status = UNUSABLE if form.is_bound else 200
    if form.is_valid():
        try:
            person, password = accounts_services.create_account(request.user, **form.cleaned_data, now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            return _once(request, person=person, password=password, is_new=True)
    return render(request, "portal/account_new.html", {"form": form}, status=status)


@admins_only
@require_POST
@sensitive_variables("password")
def reset(request: PersonRequest, account_id: int) -> HttpResponse:
    """Make a new one-time password, and show it."""
    person = account_by_id(account_id)
    password = accounts_services.reset_password(request.user, user=person, now=utc_now())
    return _once(request, person=person, password=password, is_new=False)


@admins_only
@require_POST
def reset_factor(request: PersonRequest, account_id: int) -> HttpResponse:
    """Take a lost second factor away, and go back to the list as it was."""
    person = account_by_id(account_id)
    factors.reset_factor(request.user, user=person, now=utc_now())
    messages.success(request, f"{person} signs in without a second factor now, and was told so.")
    return redirect(_list_address(request.GET))


@sensitive_variables("password")
def _once(request: PersonRequest, *, person: User, password: str, is_new: bool) -> HttpResponse:
    sign_in = settings.PRACTICUM_SITE_URL + reverse("accounts:sign_in")
    facts = {"person": person, "password": password, "is_new": is_new, "sign_in": sign_in}
    return render(request, "portal/account_password.html", facts)


@admins_only
@require_POST
def active(request: PersonRequest, account_id: int) -> HttpResponse:
    """Switch an account on or off, as ``active`` says, and go back to the list as it was."""
    person = account_by_id(account_id)
    choice = request.POST.get("active")
    if choice not in ("on", "off"):
        raise Invalid("Say whether the account is to be on or off.")
    accounts_services.set_active(request.user, user=person, active=choice == "on", now=utc_now())
    messages.success(request, f"The account of {person} is switched {choice}.")
    return redirect(_list_address(request.GET))


def _list_address(asked: QueryDict) -> str:
    """The list of accounts, narrowed down as it was."""
    kept = QueryDict(mutable=True)
    kept.update({name: value for name in (*AccountFilter.base_fields, "page") if (value := asked.get(name, ""))})
    return reverse("portal:accounts") + (f"?{kept.urlencode()}" if kept else "")


@admins_only
@require_http_methods(["GET", "POST"])
def new_cohort(request: PersonRequest) -> HttpResponse:
    """Make a cohort, and go to it."""
    form = CohortForm(_sent(request))
    status = UNUSABLE if form.is_bound else 200
    if form.is_valid():
        try:
            cohort = cohorts.create_cohort(request.user, **form.cleaned_data, now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, f"{cohort} is made. Put interns in it.")
            return redirect(f"{reverse('portal:people')}?cohort={cohort.slug}")
    return render(request, "portal/cohort_new.html", {"form": form}, status=status)


@admins_only
@require_http_methods(["GET", "POST"])
def new_internship(request: PersonRequest) -> HttpResponse:
    """Begin an internship, and go to it; ``?intern=`` and ``?cohort=`` choose beforehand."""
    asked = {name: request.GET.get(name) for name in ("intern", "cohort")}
    form = InternshipForm(_sent(request), initial=asked, today=localdate())
    status = UNUSABLE if form.is_bound else 200
    if form.is_valid():
        try:
            row = internship_services.start_internship(
                form.cleaned_data.pop("intern"), **form.cleaned_data, actor=request.user, now=utc_now()
            )
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, f"{row.intern} is in {row.cohort} now, with {row.mentor}.")
            return redirect("portal:internship", row.pk)
    facts = {"form": form, "missing": _missing_for(form)}
    return render(request, "portal/internship_new.html", facts, status=status)


def _missing_for(form: InternshipForm) -> list[dict[str, str]]:
    """What an internship needs and nobody has made yet, with where to make it."""
    account, cohort = reverse("portal:new_account"), reverse("portal:new_cohort")
    needs = {
        "intern": ("No intern is without an internship.", account, "Open an account"),
        "mentor": ("There is no mentor yet.", account, "Open an account"),
        "cohort": ("No cohort is in progress or planned.", cohort, "Make a cohort"),
        "version": ("No project is published yet; a mentor does it with “practicum project publish”.", "", ""),
    }
    return [
        {"text": text, "url": url, "label": label}
        for name, (text, url, label) in needs.items()
        if not form.has_choices(name)
    ]


@admins_only
@require_POST
def end(request: PersonRequest, internship_id: int) -> HttpResponse:
    """End an internship early, for a reason."""
    row = internship_for(request.user, internship_id=internship_id)
    form = EndForm(request.POST)
    if not form.is_valid():
        return internship_page(request, row, end_form=form, status=UNUSABLE)
    internship_services.end_internship(row, reason=form.cleaned_data["reason"], actor=request.user, now=utc_now())
    messages.success(request, f"The internship of {row.intern} is ended.")
    return redirect("portal:internship", row.pk)


@admins_only
@require_POST
def mentor(request: PersonRequest, internship_id: int) -> HttpResponse:
    """Give an internship another mentor."""
    row = internship_for(request.user, internship_id=internship_id)
    form = MentorForm(request.POST, internship=row)
    if not form.is_valid():
        return internship_page(request, row, mentor_form=form, status=UNUSABLE)
    chosen = form.cleaned_data["mentor"]
    internship_services.change_mentor(row, mentor=chosen, actor=request.user, now=utc_now())
    messages.success(request, f"{chosen} is the mentor of {row.intern} now.")
    return redirect("portal:internship", row.pk)
