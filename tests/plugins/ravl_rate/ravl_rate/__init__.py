"""The task rate: a number for a picture, such as a price, an age or a size."""
