"""Self-contained HTML pages: no scripts, no external hosts, pictures inside."""

from ravl.pages.search_page import Described, Section, search_page

__all__ = ["Described", "Section", "search_page"]
