"""What every service of the fleet needs and none should write twice."""
