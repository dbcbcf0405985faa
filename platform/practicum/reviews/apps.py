"""Django's handle on this room."""

from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    """The mentor's desk: the rendered notebook, threads on cells, rubric and decision."""

    name = "practicum.reviews"
    label = "reviews"
    default_auto_field = "django.db.models.BigAutoField"
