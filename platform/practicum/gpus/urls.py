"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.gpus import (
    api,
    estimate_views,
    history_views,
    plan_views,
    quota_views,
    reservation_views,
    server_views,
    views,
)

app_name = "gpus"
urlpatterns = [
    path("gpus/", views.overview, name="overview"),
    path("gpus/live/", views.live, name="live"),
    path("gpus/history/", history_views.history, name="history"),
    path("gpus/history.csv", history_views.history_csv, name="history_csv"),
    path("gpus/history.json", history_views.history_json, name="history_json"),
    path("gpus/estimates/", estimate_views.estimates, name="estimates"),
    path("gpus/leases/<uuid:lease_id>/end/", views.end_lease, name="end_lease"),
    path("gpus/servers/", server_views.server_list, name="servers"),
    path("gpus/servers/new/", server_views.new_server, name="new_server"),
    path("gpus/servers/<slug:name>/", server_views.server, name="server"),
    path("gpus/servers/<slug:name>/state/", server_views.server_state, name="server_state"),
    path("gpus/servers/<slug:name>/give-up/", server_views.give_up, name="give_up"),
    path("gpus/servers/<slug:name>/shares/", server_views.shares, name="shares"),
    path("gpus/servers/<slug:name>/tokens/", server_views.new_token, name="new_token"),
    path("gpus/servers/<slug:name>/tokens/<int:token_id>/revoke/", server_views.revoke_token, name="revoke_token"),
    path("gpus/plan/", plan_views.planner, name="planner"),
    path("gpus/plan/<int:plan_id>/", plan_views.plan, name="plan"),
    path("gpus/plan/<int:plan_id>/cancel/", plan_views.cancel, name="cancel_plan"),
    path("gpus/plan/<int:plan_id>/again/", plan_views.again, name="plan_again"),
    path("gpus/quotas/", quota_views.quotas, name="quotas"),
    path("reservations/", reservation_views.desk, name="reservations"),
    path("reservations/new/", reservation_views.new, name="new_reservation"),
    path("reservations/feed/renew/", reservation_views.renew_feed, name="renew_reservation_feed"),
    path("reservations/feed/<str:secret>.ics", reservation_views.feed, name="reservation_feed"),
    path("reservations/<int:reservation_id>/", reservation_views.reservation, name="reservation"),
    path("reservations/<int:reservation_id>/decide/", reservation_views.decide, name="decide_reservation"),
    path("reservations/<int:reservation_id>/withdraw/", reservation_views.withdraw, name="withdraw_reservation"),
    path("reservations/<int:reservation_id>/cancel/", reservation_views.cancel, name="cancel_reservation"),
    path("api/agent/report", api.report, name="report"),
]
