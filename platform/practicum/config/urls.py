"""Every address of the site. Each is declared in the permission matrix (``tests/unit/config/test_permissions.py``)."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("practicum.portal.urls")),
    path("", include("practicum.accounts.urls")),
    path("", include("practicum.catalog.urls")),
    path("", include("practicum.internships.urls")),
    path("", include("practicum.gpus.urls")),
    path("", include("practicum.workspaces.urls")),
    path("", include("practicum.submissions.urls")),
    path("", include("practicum.evaluation.urls")),
    path("", include("practicum.reviews.urls")),
    path("", include("practicum.credentials.urls")),
    path("", include("practicum.persons.urls")),
    path("", include("practicum.digests.urls")),
]

handler500 = "practicum.config.outages.failed"
