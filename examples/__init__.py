"""Small programs that show how ravl is used, or how it works."""
