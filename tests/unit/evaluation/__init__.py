"""Running submissions and showing their scores."""
