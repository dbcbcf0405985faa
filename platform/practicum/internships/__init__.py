"""Cohort, application, matching, internship (an intern, a project, a mentor), milestones, check-ins, changes."""
