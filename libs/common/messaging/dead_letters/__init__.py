"""Messages that were given up: kept as rows until an operator replays or drops them."""
