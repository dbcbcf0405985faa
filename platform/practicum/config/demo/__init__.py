"""The demo's scenario: a cohort in its third week, and what its people have done so far."""
