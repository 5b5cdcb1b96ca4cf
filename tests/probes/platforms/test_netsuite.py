"""NetSuite: the shipped script's records and its signature."""

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probes.platforms.cases import HERE, Case, cases, check, connection, request
from throughline.probes.platforms import netsuite, netsuite_rest
from throughline.probes.platforms.adapter import Adapter, BadSignature, Connection, StaleRequest, Unreadable

CASES = cases("netsuite")
AT = datetime.fromtimestamp(1760000000, UTC)
SIGNATURE = "t=1760000000,v1=7bd7ea4dc83945cdc8414c67da7d91ee27f442a079c715263d7b8027c4e90d86"
BODY = (HERE / "netsuite" / "invoice_created.json").read_bytes()
SCRIPT = HERE.parents[2] / "deploy" / "netsuite" / "throughline_user_event.js"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_payload(case: Case) -> None:
    """Each payload is the events that stand beside it."""
    assert isinstance(netsuite, Adapter)
    check(netsuite, case)


def test_the_documented_signature_verifies() -> None:
    """The vector of the vendor document, within five minutes."""
    configured, asked = connection("netsuite"), request(BODY, x_probe_signature=SIGNATURE)
    netsuite.verify(asked, configured, AT)
    netsuite.verify(asked, configured, AT + timedelta(minutes=5))
    netsuite.verify(asked, configured, AT - timedelta(minutes=1))
    rotating = Connection("c", "netsuite", (b"the new one", *configured.secrets))
    netsuite.verify(asked, rotating, AT)
    for moment in (AT + timedelta(minutes=5, seconds=1), AT - timedelta(minutes=1, seconds=1)):
        with pytest.raises(StaleRequest):
            netsuite.verify(asked, configured, moment)


@pytest.mark.parametrize(
    "header",
    ["", "t=1760000000", "v1=00", SIGNATURE.replace("v1", "v0"), SIGNATURE.replace("t=", "t=0"),
     f"t=1760000000,{SIGNATURE}", SIGNATURE.upper(), SIGNATURE.replace("t=1760000000", "t=x")],
)  # fmt: skip
def test_a_header_that_is_not_exactly_so_is_refused(header: str) -> None:
    """Missing parts, another version, two times, other letters."""
    with pytest.raises(BadSignature):
        netsuite.verify(request(BODY, x_probe_signature=header), connection("netsuite"), AT)


def test_a_connection_without_secret_lets_nobody_in() -> None:
    """Also not with a signature made by the empty secret."""
    with pytest.raises(BadSignature, match="has no secret"):
        netsuite.verify(request(BODY, x_probe_signature=SIGNATURE), Connection("c", "netsuite", (b"",)), AT)


def test_records_of_another_account_are_refused() -> None:
    """A sandbox never meets production."""
    with pytest.raises(Unreadable, match="1234567_SB1"):
        netsuite.parse(request(BODY), connection("netsuite", options={"account": "1234567"}))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to run the script")
def test_the_shipped_script_is_understood(tmp_path: Path) -> None:
    """What the script posts, run on stand-ins of NetSuite's modules, verifies and parses."""
    program = tmp_path / "run.js"
    program.write_text((HERE / "run_user_event.js").read_text())
    ran = subprocess.run(
        ["node", str(program), str(SCRIPT)], capture_output=True, text=True, check=True, timeout=60
    )
    sent = [json.loads(line) for line in ran.stdout.splitlines()]
    asked = [request(one["body"].encode(), x_probe_signature=one["signature"]) for one in sent]
    events = []
    for one in asked:
        netsuite.verify(one, connection("netsuite"), AT)
        events += netsuite.parse(one, connection("netsuite"))
    assert [event.event for event in events] == ["invoice.posted", "invoice.updated", "payment.applied"]
    assert events[0].keys == {
        "netsuite.job": "1234567_SB1/77",
        "netsuite.customer": "1234567_SB1/401",
        "netsuite.invoice": "1234567_SB1/1215",
    }
    assert (events[0].amount, events[0].currency, events[0].entity) == ("1000.5", "USD", "Acme US")
    assert events[2].keys["netsuite.invoice"] == ("1234567_SB1/1215", "1234567_SB1/1216")
    assert "could not be told" in ran.stderr


OAUTH = {
    "account": "1234567_SB1",
    "consumer_key": "ck_demo",
    "consumer_secret": "cs_demo",
    "token": "tk_demo",
    "token_secret": "ts_demo",
}
SUITEQL = "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/query/v1/suiteql?limit=1000&offset=0"
GIVEN = "ZsANnOhgME9ffXnhtTVoyqdc9WHsYwzmsG8XQ1YZjmY="


def _oauth(**changed: str) -> str:
    """The signature of the vector of the vendor document, with something changed."""
    given = {"method": "POST", "url": SUITEQL, "nonce": "n0nce1234567890abcde", "timestamp": "1760000000"}
    options = OAUTH | {name: value for name, value in changed.items() if name in OAUTH}
    given |= {name: value for name, value in changed.items() if name in given}
    method, url = given.pop("method"), given.pop("url")
    header = netsuite_rest.authorization(method, url, options, **given)
    fields = dict(one.strip().split("=", 1) for one in header.removeprefix("OAuth ").split(","))
    assert unquote(fields["realm"].strip('"')) == options["account"]
    return unquote(fields["oauth_signature"].strip('"'))


def test_the_documented_token_signature_is_made() -> None:
    """OAuth 1.0 over method, address, query, keys, nonce and time."""
    assert _oauth() == GIVEN


@pytest.mark.parametrize(
    "part", ["method", "url", "nonce", "timestamp", *(one for one in OAUTH if one != "account")]
)
@given(st.data())
def test_one_changed_byte_makes_another_signature(part: str, data: st.DataObject) -> None:
    """Wherever it is; the realm is not signed."""
    whole = {
        "method": "POST",
        "url": SUITEQL,
        "nonce": "n0nce1234567890abcde",
        "timestamp": "1760000000",
        **OAUTH,
    }
    text = whole[part]
    at = data.draw(
        st.integers(
            len("https://1234567-sb1.suitetalk.api.netsuite.com/") if part == "url" else 0, len(text) - 1
        )
    )
    other = data.draw(st.sampled_from("abcdefghijkmnopqrstuvwxyz".replace(text[at].lower(), "")))
    assert _oauth(**{part: text[:at] + other + text[at + 1 :]}) != GIVEN


def test_a_connection_asks_only_with_all_it_needs() -> None:
    """Account, key, token and both secrets."""
    asked = netsuite.calls(Connection("ns", "netsuite", options=OAUTH))
    assert [one.url.partition("/services")[2] for one in asked] == [
        "/rest/record/v1/invoice?limit=1",
        "/rest/record/v1/job?limit=1",
    ]
    assert all("oauth_signature" in one.headers["authorization"] for one in asked)
    assert netsuite.calls(Connection("ns", "netsuite", options={"account": "1"})) == []
