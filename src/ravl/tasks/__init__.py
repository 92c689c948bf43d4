"""Tasks: what is asked of a picture, and what counts as an answer."""
