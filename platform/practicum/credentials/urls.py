"""Addresses of this room. The issuer, a certificate and the list of those revoked are named in signed documents: they stay."""

from __future__ import annotations

from django.urls import path

from practicum.credentials import portfolio_views, public_views, views

app_name = "credentials"
urlpatterns = [
    path("certificates/", views.certificates, name="certificates"),
    path("certificates/check/", public_views.check, name="check"),
    path("certificates/check/verifier.py", public_views.program, name="verifier"),
    path("certificates/revoked/", public_views.revoked, name="revoked"),
    path("certificates/<uuid:certificate_id>/", public_views.certificate, name="certificate"),
    path("certificates/<uuid:certificate_id>/credential.json", public_views.document, name="document"),
    path("certificates/<uuid:certificate_id>/certificate.pdf", public_views.pdf, name="pdf"),
    path("certificates/<uuid:certificate_id>/replay.zip", public_views.bundle, name="bundle"),
    path("certificates/<uuid:certificate_id>/show/", views.show, name="show"),
    path("certificates/<uuid:certificate_id>/early/", views.early, name="early"),
    path("certificates/<uuid:certificate_id>/revoke/", views.revoke, name="revoke"),
    path("issuer/", public_views.issuer, name="issuer"),
    path("portfolio/", portfolio_views.own, name="own_portfolio"),
    path("portfolio/<slug:username>/", portfolio_views.portfolio, name="portfolio"),
]
