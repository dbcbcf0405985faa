"""Addresses of this room. ``/submissions/upload/`` also queues an evaluation, so it is the evaluation room's; the list,
which has scores, is the portal's."""

from __future__ import annotations

from django.urls import path

from practicum.submissions import views

app_name = "submissions"
urlpatterns = [
    path("submissions/alike/<int:likeness_id>/", views.likeness, name="likeness"),
    path("submissions/<int:submission_id>/files/<path:path>", views.file, name="file"),
]
