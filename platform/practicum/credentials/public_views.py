"""What anybody may open: a certificate that is shown, its files, the issuer, and the page that checks a certificate.

Nothing here says whether a certificate exists that is not shown. The site asks no other server about what it is given.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from practicum.catalog.brief import render_brief
from practicum.credentials import bundles, checking, rules, selectors, signing, wording
from practicum.credentials.forms import CheckForm, RevokeForm, ShowForm
from practicum.credentials.models import CertificateState, Visibility
from practicum.credentials.offline.verifier import __file__ as verifier_file
from practicum.credentials.selectors import Shown
from practicum.errors import NotFound
from practicum.lib.clock import utc_now

DOCUMENT_TYPE = "application/vc+ld+json"
SANDBOX = "sandbox; default-src 'none'"


@require_safe
def certificate(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """The certificate as this person may see it; with ``?as=others`` as everybody else does."""
    return page(request, certificate_id=certificate_id)


def page(
    request: HttpRequest,
    *,
    certificate_id: UUID,
    show_form: ShowForm | None = None,
    revoke_form: RevokeForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a certificate, with the forms of whoever may use them."""
    shown = _shown(request, certificate_id)
    row, viewer = shown.certificate, request.user
    facts: dict[str, Any] = {"shown": shown, "certificate": row, "address": signing.absolute("certificate", row.pk)}
    if not shown.is_issued:
        facts |= {
            "hold": selectors.hold_of(row, now=utc_now()),
            "is_executed": _has_ended(row),
            "early_url": reverse("credentials:early", args=[row.pk]),
        }
        return render(request, "credentials/preparing.html", facts, status=status)
    facts |= {"facts": shown.facts, "qr": wording.qr_of(facts["address"]), "report": _report(shown)}
    if shown.is_party and row.internship.intern_id == viewer.pk:
        initial = {"visibility": row.visibility, "parts": row.parts}
        facts["show_form"] = show_form or ShowForm(initial=initial)
    if shown.is_party and getattr(viewer, "is_admin", False) and row.state == CertificateState.ISSUED:
        facts["revoke_form"] = revoke_form or RevokeForm()
    response = render(request, "credentials/certificate.html", facts, status=status)
    if row.visibility != Visibility.LISTED:
        response.headers["X-Robots-Tag"] = "noindex"
    return response


def _shown(request: HttpRequest, certificate_id: UUID) -> Shown:
    if request.GET.get("as") == "others":
        return selectors.as_others_see(certificate_id)
    return selectors.shown_to(request.user, certificate_id=certificate_id)


def _has_ended(row: Any) -> bool:
    return row.run is None or not row.run.is_open


def _report(shown: Shown) -> str:
    submission = shown.certificate.submission
    content = selectors.report_of(submission) if shown.has("report") and submission is not None else None
    return render_brief(content.decode(errors="replace")) if content else ""


def _issued(request: HttpRequest, certificate_id: UUID) -> Shown:
    """What is shown of an issued certificate.

    Raises:
        NotFound: nothing is, or it is not issued yet.
    """
    shown = _shown(request, certificate_id)
    if not shown.is_issued:
        raise NotFound("This certificate is not issued yet.")
    return shown


@require_safe
def document(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """The signed document, with the parts that are shown."""
    shown = _issued(request, certificate_id)
    content = signing.document_of(shown.certificate, parts=shown.parts, now=utc_now())
    response = _open_json(content, content_type=DOCUMENT_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="credential-{certificate_id}.json"'
    return response


@require_safe
def pdf(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """The certificate on one page, with the signed document inside."""
    from practicum.credentials import printing  # a second of loading, which no other page needs

    shown = _issued(request, certificate_id)
    signed = signing.document_of(shown.certificate, parts=shown.parts, now=utc_now())
    content = printing.pdf_of(shown, signed=signed, address=signing.absolute("certificate", certificate_id))
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="certificate-{certificate_id}.pdf"',
            "X-Content-Type-Options": "nosniff",
        },
    )


@require_safe
def bundle(request: HttpRequest, certificate_id: UUID) -> FileResponse:
    """The replay bundle, where the code is shown."""
    shown = _issued(request, certificate_id)
    if not shown.has("code"):
        raise NotFound
    held = bundles.bundle_of(shown.certificate)
    response = FileResponse(
        held.open("rb"), as_attachment=True, filename=f"replay-{certificate_id}.zip", content_type="application/zip"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = SANDBOX
    return response


@require_safe
def issuer(_request: HttpRequest) -> JsonResponse:
    """Who signs here, with every key: what a verifier needs."""
    return _open_json(signing.profile())


@require_safe
def revoked(_request: HttpRequest) -> JsonResponse:
    """Which certificates are revoked, signed."""
    return _open_json(signing.revoked_list(now=utc_now()), content_type=DOCUMENT_TYPE)


@require_safe
def program(_request: HttpRequest) -> HttpResponse:
    """The verifier, one file that needs nothing of this site."""
    with open(verifier_file, encoding="utf-8") as stream:  # noqa: PTH123 - its own source
        content = stream.read()
    return HttpResponse(
        content, content_type="text/plain; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"}
    )


@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest) -> HttpResponse:
    """Whether a certificate is what this site signed: by its file, or by its address."""
    form = CheckForm(request.POST, request.FILES) if request.method == "POST" else CheckForm()
    facts: dict[str, Any] = {
        "form": form,
        "issuer_address": signing.issuer_id(),
        "verifier_address": signing.absolute("verifier"),
    }
    if form.is_bound and form.is_valid():
        content = form.content()
        address = form.cleaned_data["address"]
        if content is None and not address:
            form.add_error(None, "Choose a file, or write an address.")
        else:
            now = utc_now()
            facts["found"] = (
                checking.check_file(content, now=now)
                if content is not None
                else checking.check_address(address, now=now)
            )
    facts["part_names"] = rules.PARTS
    return render(request, "credentials/check.html", facts, status=400 if form.errors else 200)


def _open_json(content: dict[str, Any], *, content_type: str = "application/json") -> JsonResponse:
    """JSON that a page of any other site may read too: there is nothing in it that its reader could not open anyway."""
    response = JsonResponse(content, content_type=content_type, json_dumps_params={"indent": 2, "ensure_ascii": False})
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
