"""Programs for the maintainers; none is installed."""
