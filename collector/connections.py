"""`connections.yaml`: the systems that send webhooks, what their secrets are and how their records open.

    connections:
      - id: hubspot-eu                    # POST /hooks/hubspot/hubspot-eu
        platform: hubspot
        secret: {env: HUBSPOT_SECRET}     # or {file: ...}; during a rotation a list, the new one first
        public_url: https://probe.example.com
        links: {hubspot.deal: "https://app.hubspot.com/contacts/{1}/record/0-3/{id}"}

docs/reference-connections.md explains each field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from throughline.collector.auth import DEFAULT_TENANT, TENANT
from throughline.collector.secrets import MissingSecret, SecretSource
from throughline.probes.errors import ConfigurationError
from throughline.probes.platforms import adapter
from throughline.probes.platforms.adapter import Adapter, Connection

CONNECTIONS_FILE = "connections.yaml"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
COMMON_OPTIONS = {
    "entity": "the legal entity of events that name none",
    "region": "the region of events that name none",
    "service_line": "the service line of events that name none",
    "currency": "the currency of amounts that name none",
    "scope.<platform>": "what keys of another platform begin with, as `scope.netsuite: 1234567`",
}
"""Options of every platform."""
PLACE = re.compile(r"\{(\w*)\}")


class InvalidConnections(ConfigurationError):
    """connections.yaml can't be used; correct the lines that the message names."""


def _id(given: str) -> str:
    if not ID.fullmatch(given):
        raise ValueError("must be up to 64 letters, digits, '.', '_' or '-'")
    return given


def _tenant(given: str) -> str:
    if not TENANT.fullmatch(given):
        raise ValueError("must be up to 64 letters, digits, '.', '_' or '-'")
    return given


def _url(given: str) -> str:
    parts = urlsplit(given)
    if given and (parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment):
        raise ValueError("must look like https://probe.example.com, without query")
    return given


def _template(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "{" in parts.netloc:
        raise ValueError("must look like https://acme.my.salesforce.com/{id}, the host spelled out")
    wrong = [one for one in PLACE.findall(given) if one not in {"id", "value"} and not one.isdecimal()]
    if wrong or not PLACE.search(given):
        raise ValueError("takes {id}, {value} or the number of a part, {1}, {2}")
    return given


def _texts(given: Any) -> Any:
    """Numbers and truth values in options are written as text."""
    if isinstance(given, Mapping):
        return {str(name): _plain(value) for name, value in given.items()}
    return given


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


class Entry(BaseModel):
    """One connection as the file has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, AfterValidator(_id)]
    platform: str
    tenant: Annotated[str, AfterValidator(_tenant)] = DEFAULT_TENANT
    secret: SecretSource | tuple[SecretSource, ...] = ()
    public_url: Annotated[str, AfterValidator(_url)] = ""
    objects: dict[str, Annotated[dict[str, str], BeforeValidator(_texts)]] = {}
    options: Annotated[dict[str, str | SecretSource], BeforeValidator(_texts)] = {}
    links: dict[str, Annotated[str, AfterValidator(_template)]] = {}
    rate_limit: Annotated[float | None, Field(gt=0)] = None

    @property
    def secrets(self) -> tuple[SecretSource, ...]:
        """The secrets' sources, newest first."""
        return self.secret if isinstance(self.secret, tuple) else (self.secret,)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Configured:
    """A connection ready for use; options that are secrets are read when somebody asks for them."""

    connection: Connection
    entry: Entry
    place: str
    """File and line, for people."""

    @property
    def tenant(self) -> str:
        """Whose events these are."""
        return self.entry.tenant

    def with_secret_options(self, environ: Mapping[str, str]) -> Connection:
        """The connection with all options, for a call of the platform's API. Raises: MissingSecret."""
        found = {
            name: value.read(environ).decode() if isinstance(value, SecretSource) else value
            for name, value in self.entry.options.items()
        }
        return replace(self.connection, options=found)


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections of one state of the file."""

    by_id: Mapping[str, Configured] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    """What keeps single connections from working here: secrets that are not set."""

    def find(self, platform: str, connection: str) -> Configured | None:
        """The connection of an address."""
        found = self.by_id.get(connection)
        return found if found is not None and found.connection.platform == platform else None

    def records(self, tenant: str, names: Iterable[str]) -> dict[str, str]:
        """Where the records open that keys name, of those that open somewhere."""
        found = {name: self.record_url(tenant, name) for name in names}
        return {name: url for name, url in found.items() if url is not None}

    def record_url(self, tenant: str, name: str) -> str | None:
        """Where the record opens that a key (`namespace:value`) names, if a connection says.

        Of several connections with a link for the namespace the one counts whose options name the first part
        of the value (its org, portal, account), else the first.
        """
        namespace, _, value = name.partition(":")
        parts = value.split("/")
        owners = [one for one in self.by_id.values() if one.tenant == tenant and namespace in one.entry.links]
        owners.sort(key=lambda one: parts[0] not in one.connection.options.values())
        if not owners or not value:
            return None
        return _filled(owners[0].entry.links[namespace], value, parts)


def _filled(template: str, value: str, parts: Sequence[str]) -> str | None:
    """A template with its places filled, each as one part of an address; None if the value has too few, or
    parts that would lead elsewhere.
    """
    wanted = [int(one) for one in PLACE.findall(template) if one.isdecimal()]
    if any(not 1 <= number <= len(parts) for number in wanted) or {".", ".."} & {value, *parts}:
        return None

    def fill(match: re.Match[str]) -> str:
        place = match[1]
        return quote(value if place == "value" else parts[-1 if place == "id" else int(place) - 1], safe="")

    return PLACE.sub(fill, template)


def load_connections(
    config: Path | None, environ: Mapping[str, str], *, lenient: bool = False
) -> Connections:
    """Read `connections.yaml` of a configuration directory; without one there are none.

    Args:
        config: the configuration directory.
        environ: where secrets may stand.
        lenient: a secret that is not set here is a warning: the file is checked on another machine.

    Raises: InvalidConnections, with every problem found.
    """
    path = config / CONNECTIONS_FILE if config else None
    if path is None or not path.exists():
        return Connections()
    tree = _tree(path)
    try:
        given = _File.model_validate(tree)
    except ValidationError as error:
        lines = [f"{path}:{_line(tree, one['loc'])}: {_sentence(one)}" for one in error.errors()]
        raise InvalidConnections("\n".join(dict.fromkeys(lines))) from None  # it may quote a secret
    reading = _Reading(path, tree, environ, lenient=lenient)
    found = {entry.id: reading.configured(number, entry) for number, entry in enumerate(given.connections)}
    reading.repeated([entry.id for entry in given.connections])
    if reading.problems:
        raise InvalidConnections("\n".join(reading.problems))
    return Connections(found, tuple(reading.warnings))


def secret_files(connections: Connections) -> Iterator[Path]:
    """The files that secrets were read from."""
    for one in connections.by_id.values():
        yield from (source.file for source in one.entry.secrets if source.file is not None)


class _Reading:
    """Reads the entries of a file and notes what is wrong with them."""

    def __init__(self, path: Path, tree: Any, environ: Mapping[str, str], *, lenient: bool) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._path, self._tree, self._environ, self._lenient = path, tree, environ, lenient

    def configured(self, number: int, entry: Entry) -> Configured:
        at = ("connections", number)
        secrets = []
        for source in entry.secrets:
            try:
                secrets.append(source.read(self._environ))
            except MissingSecret as error:
                where = self.warnings if self._lenient else self.problems
                self._say(where, (*at, "secret"), entry, str(error))
        plain = {name: value for name, value in entry.options.items() if isinstance(value, str)}
        connection = Connection(
            entry.id, entry.platform, tuple(secrets), entry.public_url, entry.objects, plain
        )
        try:
            module = adapter(entry.platform)
        except ConfigurationError as error:
            self._say(self.problems, (*at, "platform"), entry, str(error))
        else:
            for fault in (*_option_faults(module, entry), *_own_faults(module, connection)):
                self._say(self.problems, at, entry, fault)
        return Configured(connection, entry, f"{self._path}:{_line(self._tree, at)}")

    def repeated(self, ids: Sequence[str]) -> None:
        for number, one in enumerate(ids):
            if one in ids[:number]:
                line = _line(self._tree, ("connections", number, "id"))
                self.problems.append(f"{self._path}:{line}: two connections are called {one!r}")

    def _say(self, where: list[str], at: tuple[str | int, ...], entry: Entry, sentence: str) -> None:
        where.append(f"{self._path}:{_line(self._tree, at)}: connection {entry.id}: {sentence}")


def _own_faults(module: Adapter, connection: Connection) -> Sequence[str]:
    """What the adapter itself finds wrong."""
    find: Callable[[Connection], Sequence[str]] | None = getattr(module, "faults", None)
    try:
        return () if find is None else find(connection)
    except Exception as error:  # noqa: BLE001 foreign code must not stop us from following the file
        return (f"its platform's faults() failed with {type(error).__name__}: {error}",)


def _option_faults(module: Adapter, entry: Entry) -> Iterator[str]:
    """What is wrong with the names of options; an adapter that names none takes any."""
    known: Mapping[str, str] | None = getattr(module, "OPTIONS", None)
    if known is not None:
        every = [*known, *COMMON_OPTIONS]
        families = tuple(name.partition("<")[0] for name in every if "<" in name)
        for name in entry.options:
            if name not in every and not name.startswith(families):
                close = get_close_matches(name, every, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(every)}"
                yield f"{entry.platform} takes no option {name!r}; {hint}"
    for name in getattr(module, "REQUIRED", ()):
        if not entry.options.get(name):
            yield f"{entry.platform} needs the option {name!r}: {(known or {}).get(name, '')}"


def _tree(path: Path) -> Any:
    try:
        return YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidConnections(f"{path}:{line}: this is no valid YAML: {error.problem}") from error
    except (OSError, ValueError, RecursionError, YAMLError) as error:
        raise InvalidConnections(f"{path}:1: the file can't be read: {error}") from error


def _line(tree: Any, path: Sequence[str | int]) -> int:
    """The line of the entry at `path`, or of its nearest ancestor that stands in the file."""
    line = 1
    for step in path:
        if isinstance(tree, CommentedMap) and step in tree:
            line = tree.lc.key(step)[0] + 1
        elif isinstance(tree, CommentedSeq) and isinstance(step, int) and step < len(tree):
            line = tree.lc.item(step)[0] + 1
        else:
            break
        tree = tree[step]
    return int(line)


def _sentence(details: Any) -> str:
    steps = [str(step + 1 if isinstance(step, int) else step) for step in details["loc"]]
    if details["type"] == "extra_forbidden":
        return f"unknown field '{details['loc'][-1]}'; known are {', '.join(Entry.model_fields)}"
    if details["type"] == "missing":
        return f"the field '{details['loc'][-1]}' is missing"
    return f"{'.'.join(steps) or 'the file'}: {str(details['msg']).removeprefix('Value error, ')}"
