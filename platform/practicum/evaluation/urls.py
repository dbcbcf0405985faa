"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.evaluation import api, board_views, views

app_name = "evaluation"
urlpatterns = [
    path("submissions/upload/", views.upload, name="upload"),
    path("submissions/<int:submission_id>/rerun/", views.rerun, name="rerun"),
    path("submissions/<int:submission_id>/rescore/", views.rescore, name="rescore"),
    path("submissions/<int:submission_id>/cancel/", views.cancel, name="cancel"),
    path("submissions/<int:submission_id>/choose/", board_views.choose, name="choose"),
    path("projects/<slug:slug>/leaderboard/", board_views.leaderboard, name="leaderboard"),
    path("projects/<slug:slug>/leaderboard/<slug:cohort_slug>/board.csv", board_views.export, name="board_csv"),
    path("projects/<slug:slug>/leaderboard/<slug:cohort_slug>/close/", board_views.close, name="close_board"),
    path("projects/<slug:slug>/leaderboard/<slug:cohort_slug>/names/", board_views.names, name="board_names"),
    path("projects/<slug:slug>/leaderboard/<slug:cohort_slug>/release/", board_views.release, name="release_board"),
    path("api/workspace/status", api.status, name="status"),
    path("api/workspace/submissions", api.submit, name="submit"),
    path("api/workspace/submissions/<int:number>", api.submission, name="submission"),
]
