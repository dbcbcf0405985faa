"""Django's handle on this room."""

from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    """Runs of a submission in isolated containers, their scores, and the leaderboard."""

    name = "practicum.evaluation"
    label = "evaluation"
    default_auto_field = "django.db.models.BigAutoField"
