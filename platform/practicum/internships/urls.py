"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.internships import cohort_views

app_name = "internships"
urlpatterns = [
    path("cohorts/<slug:cohort_slug>/", cohort_views.cohort, name="cohort"),
    path("cohorts/<slug:cohort_slug>/settings/", cohort_views.settings, name="settings"),
    path("cohorts/<slug:cohort_slug>/offers/", cohort_views.offer, name="offer"),
    path("cohorts/<slug:cohort_slug>/offers/<int:offer_id>/withdraw/", cohort_views.withdraw, name="withdraw_offer"),
]
