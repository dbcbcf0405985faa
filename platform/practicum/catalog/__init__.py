"""Projects and their published versions."""
