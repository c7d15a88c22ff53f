"""Steps of the protocol done wrong."""

from simulation.mutants import ledger, limits, order, replies
from simulation.mutants.planting import MUTANTS, Mutant, planted

__all__ = ["MUTANTS", "Mutant", "ledger", "limits", "order", "planted", "replies"]
