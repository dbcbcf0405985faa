"""One person's data: all that is kept about them to take away, and its deletion."""
