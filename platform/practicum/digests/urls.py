"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.digests import views

app_name = "digests"
urlpatterns = [
    path("cohorts/<slug:cohort_slug>/webhook/", views.webhook, name="webhook"),
    path("cohorts/<slug:cohort_slug>/webhook/test/", views.test, name="test_webhook"),
    path("cohorts/<slug:cohort_slug>/webhook/remove/", views.remove, name="remove_webhook"),
]
