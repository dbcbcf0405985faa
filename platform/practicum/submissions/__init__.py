"""What an intern hands in: immutable, named by its digest."""
