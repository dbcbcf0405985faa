"""Practicum: project-based internships with hosted GPU notebooks."""

__version__ = "0.1.0"
