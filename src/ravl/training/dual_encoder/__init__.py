"""A dual encoder on pairs of pictures and texts: for the retriever, match and caption."""
