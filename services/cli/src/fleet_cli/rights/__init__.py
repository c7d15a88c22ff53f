"""RabbitMQ users and their rights: made, and kept as the contract has them."""
