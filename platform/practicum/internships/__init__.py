"""Cohort, internship (an intern, a project, a mentor) and its milestones."""
