"""Coverage-guided fuzzing of what reads bytes from strangers: see README.md."""
