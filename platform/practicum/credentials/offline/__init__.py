"""Programs that run without the site: each is one file, copied to whoever wants it. They import nothing of Practicum."""
