"""Settings, URLs, the environment, system checks and the supervisor's commands."""
