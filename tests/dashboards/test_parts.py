"""Parts of pages: keys and the records that they open."""

from throughline.dashboards.pages import parts


def test_a_key_opens_its_record_where_somebody_said_where() -> None:
    """In another tab, which gets no hold of ours; others lead to their journeys alone."""
    shown = parts.keys(["crm.deal:1", "crm.deal:2"], records={"crm.deal:1": 'https://crm.example/1"<'})
    assert shown.count("tl-open") == 1
    assert 'href="https://crm.example/1&quot;&lt;"' in shown
    assert 'rel="noopener noreferrer"' in shown
    assert "Open the record of crm.deal:1" in shown
    assert parts.record(None, "crm.deal:2") == ""
