"""What neighbours are found by, learned with a task."""
