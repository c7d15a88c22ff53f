"""Prints what other languages read: JSON Schemas, AsyncAPI, RabbitMQ definitions and the table of errors."""
