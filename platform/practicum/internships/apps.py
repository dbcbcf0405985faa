"""Django's handle on this room."""

from django.apps import AppConfig


class InternshipsConfig(AppConfig):
    """Cohort, internship (an intern, a project, a mentor) and its milestones."""

    name = "practicum.internships"
    label = "internships"
    default_auto_field = "django.db.models.BigAutoField"
