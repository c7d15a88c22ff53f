"""The soak: a fleet that grows and shrinks under random faults for hours, and must stay what it was."""
