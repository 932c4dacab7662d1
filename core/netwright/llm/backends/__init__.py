"""Ways to reach a language model, each in a module of its own, imported when it is chosen."""
