"""One trace for each request, from its publish to its terminal reply; nothing of it runs unless asked for."""
