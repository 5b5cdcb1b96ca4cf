"""Looking reference tables up, as SQL: each look-up is a join of its own, so that it is total and every row
stays.

Of a key the row with the latest first day counts, unless its last day has passed: then there is none, and
what is found is ''.
"""

# ruff: noqa: S608 - this module is one of those where SQL is generated, from validated parts

from __future__ import annotations

from typing import TYPE_CHECKING

from throughline.correlator.expression_parts import Lookup, quoted
from throughline.correlator.reference_kinds import KEY_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from throughline.correlator.sql_text import Step


def lookup_steps(lookups: Iterable[Lookup]) -> list[Step]:
    """The steps that add each look-up as a column of its name; a later one may use those before."""
    steps: list[Step] = []
    for one in {each.name: each for each in lookups}.values():
        key, day = f"key_{one.name}", f"day_{one.name}"
        columns = ["*", f"{_key(one.keys)} AS {key}"]
        same = f"s.{key} = r.Key"
        if one.day is None:
            steps += [
                (columns, ""),
                (["s.*", f"r.Told AS {one.name}"], f"AS s LEFT ANY JOIN ({_last(one)}) AS r ON {same}"),
            ]
            continue
        columns.append(f"toInt32({one.day}) AS {day}")
        found = f"if(r.Until >= s.{day}, r.Told, '') AS {one.name}"
        nearest = f"AS s ASOF LEFT JOIN ({_valid(one)}) AS r ON {same} AND s.{day} >= r.Since"
        steps += [(columns, ""), (["s.*", found], nearest)]
    return steps


def _key(keys: tuple[str, ...]) -> str:
    """The key as tables spell it. A value that holds the separator is no key of several columns."""
    if len(keys) == 1:
        return f"CAST(ifNull({keys[0]}, ''), 'String')"
    separator = quoted(KEY_SEPARATOR)
    parts = (f"replaceAll(CAST(ifNull({one}, ''), 'String'), {separator}, '\\n')" for one in keys)
    return f"concat({f', {separator}, '.join(parts)})"


def _valid(one: Lookup) -> str:
    told = f"toInt32(ValidFrom) AS Since, toInt32(ValidTo) AS Until, Values[{quoted(one.column)}] AS Told"
    return f"SELECT Key, {told} FROM reference_rows WHERE Content = {quoted(one.content)} GROUP BY ALL"


def _last(one: Lookup) -> str:
    told = f"argMax(Values[{quoted(one.column)}], ValidFrom) AS Told"
    return f"SELECT Key, {told} FROM reference_rows WHERE Content = {quoted(one.content)} GROUP BY Key"
