"""A file of prompts becomes a file of answers, and goes on where it was however it was stopped."""
