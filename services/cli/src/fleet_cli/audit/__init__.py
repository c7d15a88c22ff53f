"""What operators changed, who did it and when; kept in the fleet's store."""
