"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.reviews import bank_views, help_views, minutes_views, views

app_name = "reviews"
urlpatterns = [
    path("review/", views.inbox, name="inbox"),
    path("review/minutes/", minutes_views.sums, name="minutes"),
    path("review/help/<int:request_id>/", help_views.page, name="help"),
    path("review/help/<int:request_id>/open/", help_views.begin, name="help_open"),
    path("review/help/<int:request_id>/hands/", help_views.hands, name="help_hands"),
    path("review/help/<int:request_id>/end/", help_views.end, name="help_end"),
    path("review/help/<int:request_id>/notebook/<int:notebook_id>/", help_views.notebook, name="help_notebook"),
    path("review/<int:submission_id>/", views.desk, name="desk"),
    path("review/<int:submission_id>/comment/", views.comment, name="comment"),
    path("review/<int:submission_id>/resolve/<int:comment_id>/", views.resolve, name="resolve"),
    path("review/<int:submission_id>/decide/", views.decide, name="decide"),
    path("review/<int:submission_id>/draft/", views.draft, name="draft"),
    path("review/<int:submission_id>/bank/", bank_views.keep, name="keep_snippet"),
    path("review/<int:submission_id>/bank/<int:snippet_id>/use/", bank_views.use, name="use_snippet"),
    path("review/<int:submission_id>/bank/own/<int:line>/<int:place>/use/", bank_views.use_own, name="use_own_snippet"),
    path("review/<int:submission_id>/bank/<int:snippet_id>/forget/", bank_views.forget, name="forget_snippet"),
    path("review/<int:submission_id>/minutes/", minutes_views.tell, name="tell_minutes"),
    path("review/<int:submission_id>/undo/", views.undo, name="undo"),
    path("projects/<slug:check_slug>/<int:number>/remedies/<path:remedy>", views.remedy, name="remedy"),
    path("submissions/<int:submission_id>/notebook/", views.notebook, name="notebook"),
]
