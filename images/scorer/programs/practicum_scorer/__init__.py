"""Reads predictions for a project's ``evaluate.py``, strictly: arrays in the order that was asked for, or one refusal.

    from practicum_scorer import InvalidSubmission, load_form

    FORM = load_form(Path(__file__).with_name("project.toml"))
    label = FORM.read(predictions, ids=ids)["label"]

What an intern may hand in (files, columns, types, limits) is what ``project.toml`` says under ``[submission]``. Whatever
the bytes are, ``read`` gives arrays or raises ``InvalidSubmission``; nothing is unpickled or evaluated. Standard library
and numpy; each format's module is loaded only when a file of it is read.
"""

from practicum_scorer.form import Column, Form, load_form
from practicum_scorer.refusal import InvalidSubmission

__all__ = ["Column", "Form", "InvalidSubmission", "load_form"]
