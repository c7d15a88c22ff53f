"""The accounts that pay for calls: which there are, who takes a call, and what happens when one fails."""
