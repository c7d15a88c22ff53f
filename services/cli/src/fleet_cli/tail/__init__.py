"""`fleet tail`: the terminal replies of the fleet as they come, one line each."""
