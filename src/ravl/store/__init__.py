"""The store: what is kept in one SQLite file, and what reads and writes it."""
