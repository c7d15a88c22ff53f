"""The client's side of RabbitMQ: the only part that knows aio-pika."""
