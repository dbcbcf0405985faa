"""The mentor's desk: the rendered notebook, threads on cells, rubric and decision."""
