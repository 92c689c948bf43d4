"""Retrieval-based training: the shared space of pictures and texts."""
