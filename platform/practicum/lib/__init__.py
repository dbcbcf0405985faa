"""Small pure pieces every room may use: digests and times."""
