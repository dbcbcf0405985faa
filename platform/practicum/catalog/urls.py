"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.catalog import views

app_name = "catalog"
urlpatterns = [
    path("projects/", views.projects, name="projects"),
    path("projects/<slug:slug>/", views.project, name="project"),
]
