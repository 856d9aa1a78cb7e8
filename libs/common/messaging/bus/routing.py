"""Which patterns a routing key matches: the part of AMQP's topic rules that FindMe uses."""


def matches(pattern: str, routing_key: str) -> bool:
    """Whether a binding pattern covers a routing key; `*` stands for one dot-separated word."""
    wanted, words = pattern.split("."), routing_key.split(".")
    return len(wanted) == len(words) and all(
        want in ("*", word) for want, word in zip(wanted, words, strict=True)
    )
