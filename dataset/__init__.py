import utils.errors  # noqa: F401  first: Ctrl-C is one line while the others import
