"""Puts requests aside for a known time, on queues of the broker instead of in a worker's hands."""

from fleet_worker.parking.lot import ParkingLot

__all__ = ["ParkingLot"]
