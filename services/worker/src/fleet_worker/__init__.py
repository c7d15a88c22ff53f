"""The worker: takes requests from RabbitMQ and answers them with DeepSeek."""
