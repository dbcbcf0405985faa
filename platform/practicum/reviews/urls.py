"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.reviews import views

app_name = "reviews"
urlpatterns = [
    path("review/", views.inbox, name="inbox"),
    path("review/<int:submission_id>/", views.desk, name="desk"),
    path("review/<int:submission_id>/comment/", views.comment, name="comment"),
    path("review/<int:submission_id>/resolve/<int:comment_id>/", views.resolve, name="resolve"),
    path("review/<int:submission_id>/decide/", views.decide, name="decide"),
    path("review/<int:submission_id>/draft/", views.draft, name="draft"),
    path("review/<int:submission_id>/undo/", views.undo, name="undo"),
    path("submissions/<int:submission_id>/notebook/", views.notebook, name="notebook"),
]
