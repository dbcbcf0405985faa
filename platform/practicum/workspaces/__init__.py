"""An intern's notebook server: its session, its activity, and the client of the hub."""
