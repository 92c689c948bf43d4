"""A server for a memory and the runs fitted to it: REST, dynamic batching, keys and limits."""
