"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.portal import finishing, metrics, people, probes, record_views, views

app_name = "portal"
urlpatterns = [
    path("", views.home, name="home"),
    path("internships/<int:internship_id>/", views.internship, name="internship"),
    path("internships/<int:internship_id>/milestones/<int:position>/", finishing.milestone, name="milestone"),
    path("internships/<int:internship_id>/complete/", finishing.complete, name="complete_internship"),
    path("internships/<int:internship_id>/end/", people.end, name="end_internship"),
    path("internships/<int:internship_id>/mentor/", people.mentor, name="change_mentor"),
    path("attention/", views.attention, name="attention"),
    path("people/", views.people, name="people"),
    path("people/accounts/", people.accounts, name="accounts"),
    path("people/accounts/new/", people.new_account, name="new_account"),
    path("people/accounts/<int:account_id>/reset/", people.reset, name="reset_account"),
    path("people/accounts/<int:account_id>/factor/", people.reset_factor, name="reset_factor"),
    path("people/accounts/<int:account_id>/active/", people.active, name="account_active"),
    path("people/cohorts/new/", people.new_cohort, name="new_cohort"),
    path("people/permissions/", record_views.permissions_page, name="permissions"),
    path("people/record/", record_views.record_page, name="record"),
    path("people/record.csv", record_views.record_csv, name="record_csv"),
    path("people/record.jsonl", record_views.record_json, name="record_json"),
    path("people/internships/new/", people.new_internship, name="new_internship"),
    path("submissions/", views.own_submissions, name="submissions"),
    path("submissions/<int:submission_id>/", views.submission, name="submission"),
    path("submissions/<int:submission_id>/live/", views.submission_live, name="submission_live"),
    path("status/", views.status, name="status"),
    path("health/", views.health, name="health"),
    path("health/live/", probes.live, name="live"),
    path("health/ready/", probes.ready, name="ready"),
    path("metrics", metrics.metrics, name="metrics"),
]
