"""Runs of a submission in isolated containers, their scores, and the leaderboard."""
