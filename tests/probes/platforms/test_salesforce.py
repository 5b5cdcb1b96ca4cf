"""Salesforce: change events, platform events and outbound messages."""

import pytest

from tests.probes.platforms.cases import NOW, SECRET, Case, cases, check, connection, request
from throughline.probes.platforms import salesforce
from throughline.probes.platforms.adapter import Adapter, BadSignature, Unreadable
from throughline.probes.platforms.salesforce_channels import bits, changed_names, long_id

ORG = {"org": "00DDEMO0000001"}
OUTBOUND = next(case for case in cases("salesforce") if case.name == "outbound.xml")


@pytest.mark.parametrize("case", cases("salesforce"), ids=lambda case: case.name)
def test_payload(case: Case) -> None:
    """Each payload is the events that stand beside it."""
    assert isinstance(salesforce, Adapter)
    check(salesforce, case)


def test_bitmaps() -> None:
    """The worked examples of the vendor document."""
    assert bits("0x650004E0") == [5, 6, 7, 10, 24, 26, 29, 30]
    assert bits("0x10") == [4]
    assert bits("0x06") == [1, 2]


def test_bitmaps_name_fields_and_fields_of_compounds() -> None:
    """`0x..` counts the fields of the schema, `P-0x..` those of its compound field P."""
    address = {"type": "record", "fields": [{"name": "Street"}, {"name": "City"}, {"name": "Zip"}]}
    schema = {"fields": [{"name": "Id"}, {"name": "Address", "type": ["null", address]}, {"name": "Stage"}]}
    assert changed_names(["0x5"], schema) == frozenset({"Id", "Stage"})
    assert changed_names(["0x4", "1-0x06"], schema) == frozenset({"Stage", "Address.City", "Address.Zip"})
    assert changed_names(["StageName"], None) == frozenset({"StageName"})
    assert changed_names(["0x4"], None) is None
    for beyond in (["0x8"], ["7-0x1"], ["0-0x1"]):
        with pytest.raises(Unreadable, match="schema"):
            changed_names(beyond, schema)


def test_bitmaps_without_a_schema_must_tell_all() -> None:
    """Where more fields are known than changed, nobody can say which did: the body is kept."""
    header = (
        '"ChangeEventHeader":{"entityName":"Opportunity","recordIds":["006DEMO00000001AAA"],"changeType":'
        '"UPDATE","transactionKey":"k","sequenceNumber":1,"commitTimestamp":1760000000000,"changedFields":["0x20"]}'
    )
    enriched = request(f'{{{header},"Amount":5,"StageName":"Closed Won","IsWon":true}}'.encode())
    with pytest.raises(Unreadable, match="forward the Avro schema"):
        salesforce.parse(enriched, connection("salesforce", options=ORG))
    (event,) = salesforce.parse(request(f'{{{header},"Amount":5}}'.encode()), connection("s", options=ORG))
    assert event.event == "opportunity.updated"


def test_ids_do_not_depend_on_their_length() -> None:
    """15 letters and 18 letters are one record; case matters in the first and not in the second."""
    assert long_id("001A000000dfYaM") == "001A000000dfYaMIAU"
    assert long_id("001A000000dfYaMIAU") == "001A000000dfYaMIAU"
    assert long_id("00DDEMO0000001") == "00DDEMO0000001"


def test_outbound_messages_get_the_exact_acknowledgement() -> None:
    """Salesforce sends them again until it hears this; relayed JSON hears an empty 200."""
    answer = salesforce.reply(OUTBOUND.request, OUTBOUND.connection)
    assert answer.status == 200
    assert answer.content_type.startswith("text/xml")
    assert answer.body == (
        b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack>'
        b"</notificationsResponse></soapenv:Body></soapenv:Envelope>"
    )
    assert salesforce.reply(request(b"[]"), OUTBOUND.connection).body == b""


def test_outbound_messages_of_another_organisation_are_refused() -> None:
    """The secret in the URL is not enough: the organisation must be the connection's."""
    asked = request(OUTBOUND.request.body, content_type="text/xml", authorization=f"Bearer {SECRET.decode()}")
    salesforce.verify(asked, connection("salesforce", options=ORG), NOW)
    with pytest.raises(BadSignature, match="another organisation"):
        salesforce.verify(asked, connection("salesforce", options={"org": "00DOTHER000001"}), NOW)


def test_a_missing_option_waits_in_the_dead_letters() -> None:
    """Without the organisation keys would not be unique: the body is kept until it is configured."""
    with pytest.raises(Unreadable, match="lacks the option org"):
        salesforce.parse(OUTBOUND.request, connection("salesforce"))


def test_stage_names_are_the_customers() -> None:
    """Without IsWon the options say which stages mean won and lost."""
    body = (
        b'{"ChangeEventHeader":{"entityName":"Opportunity","recordIds":["006DEMO00000001AAA"],"changeType":'
        b'"UPDATE","transactionKey":"k","sequenceNumber":1,"commitTimestamp":1760000000000,"changedFields":'
        b'["StageName"]},"StageName":"Gewonnen"}'
    )
    german = connection("salesforce", options={**ORG, "won_stages": "Gewonnen, Unterschrieben"})
    (event,) = salesforce.parse(request(body), german)
    assert event.event == "opportunity.closed_won"
    (event,) = salesforce.parse(request(body), connection("salesforce", options=ORG))
    assert event.event == "opportunity.updated"


def test_fields_get_the_names_of_the_connection() -> None:
    """`objects` makes keys of other platforms, facts and attributes out of the customer's own fields."""
    body = (
        b'{"topic":"/event/Sync__e","payload":{"CreatedDate":1760000000000,"EventUuid":"e1","Job__c":"77",'
        b'"What__c":"project.created","Sum__c":"12.50","Firm__c":"DE01","Note__c":"by hand","Wbs__c":"W-7"}}'
    )
    names = {
        "Job__c": "business.key.netsuite.job",
        "What__c": "business.event",
        "Sum__c": "business.amount",
        "Firm__c": "business.entity",
        "Note__c": "note",
        "Wbs__c": "business.key.sap.project = PRD/{}",
    }
    mapped = connection(
        "salesforce", options={**ORG, "scope.netsuite": "1234567"}, objects={"Sync__e": names}
    )
    (event,) = salesforce.parse(request(body), mapped)
    assert (event.event, event.amount, event.entity) == ("project.created", "12.50", "DE01")
    assert event.keys == {"netsuite.job": "1234567/77", "sap.project": "PRD/W-7"}
    assert event.attributes["note"] == "by hand"
