"""The task caption: a text about a picture, as the memory's texts are."""
