"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from practicum.internships import admission_views, application_views, cohort_views, placement_views, record_views

COHORT = "cohorts/<slug:cohort_slug>/"
RECORD = "internships/<int:internship_id>/record/"

app_name = "internships"
urlpatterns = [
    path(COHORT, cohort_views.cohort, name="cohort"),
    path(COHORT + "settings/", cohort_views.settings, name="settings"),
    path(COHORT + "checks/", cohort_views.set_checks, name="set_checks"),
    path(COHORT + "offers/", cohort_views.offer, name="offer"),
    path(COHORT + "offers/<int:offer_id>/withdraw/", cohort_views.withdraw, name="withdraw_offer"),
    path(COHORT + "apply/", application_views.apply, name="apply"),
    path(COHORT + "apply/withdraw/", application_views.withdraw, name="withdraw"),
    path(COHORT + "apply/checks/<slug:check_slug>/", application_views.start_check, name="start_check"),
    path(COHORT + "apply/undo/", application_views.undo, name="undo_withdrawal"),
    path(COHORT + "sign-up/", application_views.sign_up, name="sign_up"),
    path("join/<str:token>/", application_views.join, name="join"),
    path(COHORT + "applications/", admission_views.applications, name="applications"),
    path(COHORT + "applications.csv", admission_views.applications_csv, name="applications_csv"),
    path(COHORT + "applications/<int:application_id>/", admission_views.application, name="application"),
    path(COHORT + "applications/<int:application_id>/offer/", admission_views.offer_place, name="offer_place"),
    path(COHORT + "applications/<int:application_id>/decline/", admission_views.decline, name="decline"),
    path(COHORT + "invitations/", admission_views.invitations, name="invitations"),
    path(COHORT + "invitations/<int:invitation_id>/revoke/", admission_views.revoke, name="revoke_invitation"),
    path(COHORT + "invitations/<int:invitation_id>/send/", admission_views.send_again, name="send_invitation"),
    path(COHORT + "ranking/", placement_views.ranking, name="ranking"),
    path(COHORT + "matching/", placement_views.matching, name="matching"),
    path(COHORT + "matching/propose/", placement_views.propose, name="propose"),
    path(COHORT + "matching/<int:placement_id>/", placement_views.adjust, name="adjust"),
    path(COHORT + "matching/confirm/", placement_views.confirm, name="confirm"),
    path(RECORD, record_views.record, name="record"),
    path(RECORD + "check-in/", record_views.check_in, name="check_in"),
    path(RECORD + "ask/", record_views.ask, name="ask"),
    path(RECORD + "changes/<int:change_id>/answer/", record_views.answer, name="answer"),
    path(RECORD + "changes/<int:change_id>/take-back/", record_views.take_back, name="take_back"),
    path(RECORD + "message/", record_views.message, name="message"),
    path(RECORD + "go-on/", record_views.go_on, name="go_on"),
]
