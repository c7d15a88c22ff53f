"""Every alert seen firing under its fault, on a real Prometheus that watches the fleet of compose."""
