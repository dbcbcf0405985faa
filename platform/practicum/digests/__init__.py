"""Once a day: what needs a person, by mail, and what is new in a cohort, to its webhook."""
