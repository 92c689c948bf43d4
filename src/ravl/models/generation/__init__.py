"""Generation of text about a picture, with the neighbours' texts as evidence."""
