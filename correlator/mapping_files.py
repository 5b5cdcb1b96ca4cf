"""Reading `mappings/*.yaml`, with file, line and suggestion for what is wrong; and the shipped presets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from throughline.correlator.mapping import Facts, Failure, Mapping, Match, Rule, Run, Wanted
from throughline.correlator.mapping_values import Value
from throughline.correlator.parts import unknown
from throughline.correlator.problems import InvalidFile, Problem, fields, validated

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = "mappings"
PRESETS = Path(__file__).parent / FOLDER
"""Shipped, and in force only where a mapping says `use`."""


class InvalidMapping(InvalidFile):
    """A mapping can't be used; correct the lines that the message names."""


@dataclass(frozen=True, slots=True)
class LoadedMappings:
    """The mappings that can be used, in the order of their files, and what was wrong with the others."""

    mappings: tuple[Mapping, ...] = ()
    errors: tuple[InvalidFile, ...] = field(default=())


class _Places(dict[tuple[str, ...], "Sequence[str]"]):
    """The fields allowed at each place; names of attributes and namespaces are anybody's."""

    def __missing__(self, path: tuple[str, ...]) -> Sequence[str]:
        return fields(Wanted) if "match" in path else fields(Value)


_PARTS = _Places(
    {
        (): fields(Mapping),
        ("rules",): fields(Rule),
        ("rules", "match"): fields(Match),
        ("rules", "set"): fields(Facts),
        ("rules", "set", "exception"): fields(Failure),
        ("rules", "set", "run"): fields(Run),
    }
)


def load_mapping(source: Path | str, *, presets: Path = PRESETS) -> Mapping:
    """Read one mapping from a file (`Path`) or from YAML text (`str`).

    Raises:
        InvalidMapping: with every problem found.
    """
    wanted = "a mapping file is a mapping that begins with `mapping: <id>`"
    file = validated(source, Mapping, _PARTS, invalid=InvalidMapping, wanted=wanted)
    shipped = {path.stem for path in presets.glob("*.yaml")}
    file.refuse(
        (("use", number), f"{unknown(name, shipped, 'preset')}; there are {', '.join(sorted(shipped))}")
        for number, name in enumerate(file.content.use)
        if name not in shipped
    )
    return file.content


def load_mappings(config_dir: Path | None) -> LoadedMappings:
    """Read `<config_dir>/mappings/*.yaml`; rules of a file that is earlier by its name count first."""
    found: dict[str, Mapping] = {}
    errors: list[InvalidFile] = []
    for path in sorted((config_dir / FOLDER).glob("*.yaml")) if config_dir else ():
        try:
            mapping = load_mapping(path)
        except InvalidMapping as error:
            errors.append(error)
            continue
        if mapping.mapping in found:
            sentence = f"the mapping '{mapping.mapping}' stands in another file already: rename one"
            errors.append(InvalidMapping([Problem(str(path), 1, sentence)]))
            continue
        found[mapping.mapping] = mapping
    return LoadedMappings(tuple(found.values()), tuple(errors))


def rules_of(mapping: Mapping, *, presets: Path = PRESETS) -> list[tuple[str, Rule]]:
    """The rules of a mapping by their full names, those of its presets last."""
    own = [(f"{mapping.mapping}/{rule.name}", rule) for rule in mapping.rules]
    used = [
        (f"{mapping.mapping}/{name}.{rule.name}", rule)
        for name in mapping.use
        for rule in load_mapping(presets / f"{name}.yaml").rules
    ]
    return [*own, *used]
