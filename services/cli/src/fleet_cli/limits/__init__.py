"""The shared limiter as operators see and steer it."""
