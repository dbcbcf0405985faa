"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.workspaces import api, help_api, help_views, snapshot_views, views

app_name = "workspaces"
urlpatterns = [
    path("notebook/", views.notebook, name="notebook"),
    path("notebook/start/", views.start, name="start"),
    path("notebook/take/", views.take, name="take"),
    path("notebook/meanwhile/", views.meanwhile, name="meanwhile"),
    path("notebook/join/", views.join, name="join"),
    path("notebook/leave/", views.leave, name="leave"),
    path("notebook/live/", views.live, name="live"),
    path("notebook/stop/", views.stop, name="stop"),
    path("notebook/help/", help_views.page, name="help"),
    path("notebook/help/allow/", help_views.allow, name="help_allow"),
    path("notebook/help/refuse/", help_views.refuse, name="help_refuse"),
    path("notebook/help/end/", help_views.end, name="help_end"),
    path("notebook/snapshots/", snapshot_views.listed, name="snapshots"),
    path("notebook/snapshots/<int:snapshot_id>/archive/", snapshot_views.archive, name="snapshot_archive"),
    path("notebook/snapshots/<int:snapshot_id>/restore/", snapshot_views.restore, name="restore"),
    path("api/hub/sessions/claim", api.claim, name="claim"),
    path("api/hub/sessions/<uuid:session_id>/events", api.event, name="event"),
    path("api/workspace/activity", api.activity, name="activity"),
    path("api/workspace/move", api.move, name="move"),
    path("api/workspace/help", help_api.state, name="help_state"),
    path("api/workspace/help/end", help_api.end, name="help_over"),
    path("api/workspace/help/notebook", help_api.notebook, name="help_notebook"),
]
