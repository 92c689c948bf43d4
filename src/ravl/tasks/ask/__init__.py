"""The task ask: questions about pictures, answered out of a list, with the memory's vote."""
