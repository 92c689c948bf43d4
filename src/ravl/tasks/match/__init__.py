"""Match: whether a text fits a picture."""
