"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.persons import retention_views, views

app_name = "persons"
urlpatterns = [
    path("account/data/", views.own, name="own"),
    path("account/data/export.zip", views.export_own, name="export_own"),
    path("account/data/delete/", views.ask_own, name="ask_own"),
    path("account/data/keep/", views.take_back_own, name="take_back_own"),
    path("people/accounts/<int:account_id>/data/", views.account, name="account"),
    path("people/accounts/<int:account_id>/data/export.zip", views.export, name="export"),
    path("people/accounts/<int:account_id>/data/delete/", views.ask, name="ask"),
    path("people/accounts/<int:account_id>/data/keep/", views.take_back, name="take_back"),
    path("cohorts/<slug:cohort_slug>/retention/", retention_views.page, name="retention"),
]
