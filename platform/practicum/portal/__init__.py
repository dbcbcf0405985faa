"""Pages that look across rooms: the home of intern, mentor and admin. No models."""
