"""Where replays may go: files, presets, and attempts to lead a call somewhere else."""

from __future__ import annotations

import httpx
import pytest

from throughline.collector.egress import Egress, NotAllowed
from throughline.correlator.replay import templates
from throughline.correlator.replay.targets import InvalidTargets, parse_targets, presets
from throughline.correlator.replay.templates import TemplateFailed, fill
from throughline.probes.errors import ConfigurationError

PUBLIC = "93.184.215.14"


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_is_a_target(name: str) -> None:
    """With hosts and parameters of one's own."""
    found = parse_targets(f"""
targets:
  - {{id: mine, preset: {name}, hosts: [example.com], params: {{recipe: "1"}}}}
""").targets[0]
    assert not found.idempotent
    assert found.kinds in {("rerun",), ("redrive",)}


def test_the_example_of_the_design_is_valid() -> None:
    """As it stands there."""
    (found,) = parse_targets("""
targets:
  - id: middleware
    hosts: ["middleware.example.com:443"]
    method: POST
    url: "https://middleware.example.com/replay/{{ exception.milestone }}"
    headers: {Authorization: "Bearer {{ secret }}"}
    secret: {env: MIDDLEWARE_TOKEN}
    body: "{{ payload }}"
    verify_within: 15m
""").targets
    assert found.verify_within.total_seconds() == 900


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("targets: [{id: a, url: 'https://a', hosts: [a], preset: nope}]", "there is no preset 'nope'"),
        ("targets: [{id: a, url: 'https://a'}]", "needs the field 'hosts'"),
        ("targets: [{id: a, url: 'https://a/{{', hosts: [a]}]", "this is no template"),
        ("targets: [{id: a, url: 'https://a', hosts: ['a:b']}]", "'a:b' is no host"),
        ("targets: [{id: a, url: 'https://a', hosts: [a], kinds: [compensate]}]", "needs a call of its own"),
        ("targets: [{id: a, url: 'https://a', hosts: [a], scheme: {}}]", "did you mean 'schema'?"),
        ("targets: [{id: a, url: 'https://a', hosts: [a], timeout: 2 business days}]", "must be plain time"),
        (
            "targets: [{id: a, url: 'https://a', hosts: [a], auth: {basic: {user: u, password: {envv: A}}}}]",
            "unknown field 'envv' in `targets[1].auth.basic.password`; did you mean 'env'?",
        ),
        (
            "targets: [{id: a, url: 'https://a', hosts: [a]}, {id: a, url: 'https://a', hosts: [a]}]",
            "called so",
        ),
    ],
)
def test_a_wrong_file_says_where_and_what(text: str, sentence: str) -> None:
    """With the line."""
    with pytest.raises(InvalidTargets) as found:
        parse_targets(text)
    assert sentence in str(found.value)
    assert str(found.value).startswith("<text>:1: ")


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("https://evil.example.com/", [PUBLIC]),  # not listed
        ("https://good.example.com:8443/", [PUBLIC]),  # another port
        ("http://good.example.com:443/", [PUBLIC]),  # no TLS across the internet
        ("https://user@good.example.com/", [PUBLIC]),  # who is user?
        ("https://good.example.com@evil.example.com/", [PUBLIC]),
        ("https://good.example.com/", ["127.0.0.1"]),  # the name leads inside
        ("https://good.example.com/", ["10.0.0.7"]),
        ("https://good.example.com/", ["169.254.169.254"]),  # cloud metadata
        ("https://good.example.com/", [PUBLIC, "192.168.1.1"]),  # one of several
        ("https://good.example.com/", ["::1"]),
        ("https://good.example.com/", ["::ffff:10.0.0.7"]),  # IPv4 in disguise
        ("https://good.example.com/", ["64:ff9b::a00:7"]),
        ("https://good.example.com/", ["fd00::1"]),
        ("https://good.example.com/", ["224.0.0.1"]),
        ("https://good.example.com/", ["0.0.0.0"]),
        ("https://good.example.com/", []),
        ("file:///etc/passwd", []),
        ("gopher://good.example.com/", [PUBLIC]),
        ("/relative", []),
    ],
)
def test_no_call_leaves_the_listed_hosts(url: str, addresses: list[str]) -> None:
    """Whatever the name leads to, and however it is written."""
    egress = Egress(Egress.of(["good.example.com"]).hosts, resolve=lambda _host, _port: addresses)
    with pytest.raises(NotAllowed):
        egress.check(httpx.URL(url))


def test_listed_networks_are_meant() -> None:
    """A private address is fine once its network is listed; then even without TLS."""
    egress = Egress.of(["inside.example.com:8080", "10.0.0.0/8"])
    inside = Egress(egress.hosts, egress.networks, lambda _host, _port: ["10.0.0.7"])
    assert inside.check(httpx.URL("http://inside.example.com:8080/x")) == ["10.0.0.7"]
    with pytest.raises(ConfigurationError, match="is no network"):
        Egress.of(["10.0.0.1/8"])


@pytest.mark.parametrize(
    "value",
    ["../../admin", "x?admin=true", "x#", "x/../y", "a b", "%2e%2e", "x\r\nHost: evil", "é", "https://evil"],
)
def test_what_is_filled_into_a_url_stays_in_its_part(value: str) -> None:
    """Keys come from other systems: they can't add parts, queries or hosts."""
    filled = httpx.URL(fill("url", "https://good.example.com/projects/{{ key }}/run", {"key": value}))
    assert filled.host == "good.example.com"
    assert (filled.query, filled.fragment) == (b"", "")
    assert len(filled.raw_path.split(b"/")) == 4


@pytest.mark.parametrize(
    "value",
    ["{{ secret }}", "{% for x in ().__class__.__mro__ %}{% endfor %}", "{{ cycler.__init__.__globals__ }}"],
)
def test_what_is_filled_in_is_no_template(value: str) -> None:
    """Payloads and messages are text."""
    assert fill("body", "{{ payload }}", {"payload": value, "secret": "s3cret"}) == value


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ payload.__class__ }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ self.__init__ }}",
        "{{ ().__class__.__base__.__subclasses__() }}",
        "{{ keys.update({}) }}",
        "{{ nothing }}",
        "{% for _ in range(10 ** 9) %}{% endfor %}",
        "{{ 'x' * 2 ** 21 }}",
    ],
)
def test_templates_reach_nothing_but_what_they_are_given(text: str) -> None:
    """Neither objects behind values, nor names that there are not, nor all of the memory."""
    with pytest.raises(TemplateFailed):
        fill("body", text, {"payload": "x", "keys": {}})


def test_a_header_has_one_line() -> None:
    """A value with a line break would make another header."""
    with pytest.raises(TemplateFailed, match="control characters"):
        fill("header", "{{ key }}", {"key": "x\r\nX-Admin: 1"})
    assert templates.fill("header", "Bearer {{ secret }}", {"secret": "abc"}) == "Bearer abc"
