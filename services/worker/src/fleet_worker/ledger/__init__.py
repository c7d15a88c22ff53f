"""What is known about a request and its terminal reply: who works on it, and how it ended."""
