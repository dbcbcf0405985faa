"""Taking in what is handed in."""
