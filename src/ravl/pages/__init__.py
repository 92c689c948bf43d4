"""Self-contained HTML pages: no scripts, no outside hosts, pictures inside."""

from ravl.pages.search_page import Section, search_page

__all__ = ["Section", "search_page"]
