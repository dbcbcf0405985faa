"""Django's handle on this room."""

from django.apps import AppConfig


class InternshipsConfig(AppConfig):
    """Cohort, application, matching, internship (an intern, a project, a mentor), milestones, check-ins, changes."""

    name = "practicum.internships"
    label = "internships"
    default_auto_field = "django.db.models.BigAutoField"
