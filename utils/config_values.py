"""Checks of single values of a configuration: their types and limits."""
import math
import operator
import re
from contextlib import suppress

from utils.errors import UserError


def is_text(value):
    """Whether a value is text that can stand in a path (neither NUL nor half a surrogate pair)."""
    return isinstance(value, str) and value != "" and not re.search("[\0\ud800-\udfff]", value)


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)       # Python counts true and false among the integers


# type or limit of a key -> the check of a value, and its name in messages
TYPES = {float: (lambda value: isinstance(value, float) and math.isfinite(value), "a number"),
         int: (_is_integer, "an integer"),
         bool: (lambda value: isinstance(value, bool), "true or false"),
         str: (is_text, "text"),
         list[int]: (lambda value: isinstance(value, list) and all(map(_is_integer, value)), "a list of integers"),
         list: (lambda value: isinstance(value, list) and all(map(is_text, value)) and len(set(value)) == len(value),
                "a list of different names")}
LIMITS = {"low": (operator.ge, "at least"), "above": (operator.gt, "more than"), "high": (operator.le, "at most"),
          "below": (operator.lt, "under"), "choices": (lambda value, choices: value in choices, "one of")}


def checked_value(entry, value, where):
    """The value of a key, after its type and limits were checked.

    Args:
        entry: `dataclasses.Field` of the key.
        value: as read from YAML.
        where: file and line, for messages.
    Returns:
        the value; a float where the key is one.
    Raises:
        UserError: another type, or outside the limits.
    """
    if entry.type is float and not isinstance(value, bool):
        with suppress(TypeError, ValueError, OverflowError):            # YAML reads 1e-4, without a dot, as text
            value = float(value)
    fits, words = TYPES[entry.type]
    if not fits(value) or value == [] and not entry.metadata.get("may_be_empty"):
        raise UserError(f"{where}: {entry.name!r} must be {words}")
    for kind, (fits, words) in LIMITS.items():
        limit = entry.metadata.get(kind)
        if limit is not None and not all(fits(one, limit) for one in (value if isinstance(value, list) else [value])):
            raise UserError(f"{where}: {entry.name!r} must be {words} {', '.join(limit) if kind == 'choices' else limit}")
    return value
