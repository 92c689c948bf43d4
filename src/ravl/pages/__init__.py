"""Self-contained HTML pages: no scripts, no external hosts, pictures inside."""
