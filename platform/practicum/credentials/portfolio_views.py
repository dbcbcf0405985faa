"""An intern's own page: what they write about themselves, and the certificates they listed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from practicum.accounts.access import PersonRequest, interns_only
from practicum.catalog.brief import render_brief
from practicum.credentials import selectors, services, signing
from practicum.credentials.forms import PortfolioForm
from practicum.lib.clock import utc_now


@interns_only
@require_http_methods(["GET", "HEAD", "POST"])
def own(request: PersonRequest) -> HttpResponse:
    """Where an intern writes it. What can't be used is told, and stays in the form."""
    held = selectors.portfolio_of(request.user)
    initial = {"headline": held.headline, "words": held.words, "is_public": held.is_public} if held else {}
    form = PortfolioForm(initial=initial)
    if request.method == "POST":
        form = PortfolioForm(request.POST)
        if form.is_valid():
            services.keep_portfolio(request.user, now=utc_now(), **form.cleaned_data)
            messages.success(request, "Your portfolio is saved.")
            return redirect("credentials:own_portfolio")
    facts = {
        "form": form,
        "portfolio": held,
        "certificates": selectors.certificates_visible_to(request.user),
        "address": signing.absolute("portfolio", request.user.username),
    }
    return render(request, "credentials/own_portfolio.html", facts, status=400 if form.errors else 200)


@require_safe
def portfolio(request: HttpRequest, username: str) -> HttpResponse:
    """The page as everybody sees it; its intern sees it too, so that they know how it looks."""
    found = selectors.public_portfolio(username)
    facts = {
        "portfolio": found.portfolio,
        "certificates": found.certificates,
        "words": render_brief(found.portfolio.words),
    }
    return render(request, "credentials/portfolio.html", facts)
