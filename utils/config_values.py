"""Checks of single values of a configuration: their types and limits."""
import math
import re

from utils.errors import UserError


def is_text(value):
    """Whether a value is text that can stand in a path (neither NUL nor half a surrogate pair)."""
    return isinstance(value, str) and value != "" and not re.search("[\0\ud800-\udfff]", value)


def is_integer(value):
    """Whether a value is an integer; true and false, which Python counts among the integers, are none."""
    return isinstance(value, int) and not isinstance(value, bool)


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
    name, limits, values = entry.name, entry.metadata, [value]
    if entry.type is float:
        try:                                     # YAML reads 1e-4, without a dot, as text
            value = float(value) if not isinstance(value, bool) else None
        except (TypeError, ValueError, OverflowError):
            value = None
        if value is None or not math.isfinite(value):
            raise UserError(f"{where}: {name!r} must be a number")
        values = [value]
    elif entry.type is int and not is_integer(value):
        raise UserError(f"{where}: {name!r} must be an integer")
    elif entry.type is bool and not isinstance(value, bool):
        raise UserError(f"{where}: {name!r} must be true or false")
    elif entry.type is str and not is_text(value):
        raise UserError(f"{where}: {name!r} must be text")
    elif entry.type == list[int]:
        if not isinstance(value, list) or not value or not all(map(is_integer, value)):
            raise UserError(f"{where}: {name!r} must be a list of integers")
        values = value
    elif entry.type is list and not (isinstance(value, list) and (value or limits.get("may_be_empty"))
                                     and all(map(is_text, value)) and len(set(value)) == len(value)):
        raise UserError(f"{where}: {name!r} must be a list of different names")
    for one in values:
        _check_limits(name, limits, one, where)
    return value


def _check_limits(name, limits, value, where):
    if limits.get("choices") and value not in limits["choices"]:
        raise UserError(f"{where}: {name!r} must be one of {', '.join(limits['choices'])}")
    if limits.get("low") is not None and value < limits["low"]:
        raise UserError(f"{where}: {name!r} must be at least {limits['low']}")
    if limits.get("above") is not None and value <= limits["above"]:
        raise UserError(f"{where}: {name!r} must be more than {limits['above']}")
    if limits.get("high") is not None and value > limits["high"]:
        raise UserError(f"{where}: {name!r} must be at most {limits['high']}")
