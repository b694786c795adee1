"""One decision in the making: the request prepared, answered once, and concluded."""
