"""Single fields of a definition, changed by a line of text."""

import pytest

from throughline.correlator.process import InvalidProcess, load_process

DEFINITION = """
process: orders
keys: [shop.order, shop.item]
milestones:
  - {name: placed, event: order.placed}
  - {name: shipped, event: item.shipped, within: {time: 2d, of: placed}}
  - {name: paid, event: item.paid, within: 30d}
completed_by: paid
checks: [{name: has-items, expect: "keys('shop.item') > 0"}]
"""


@pytest.mark.parametrize(
    ("change", "written"),
    [
        ("shipped.within=4 business hours", ("time: 2d", "time: 4 business hours")),
        ("shipped.within.of=placed.last", ("of: placed", "of: placed.last")),
        ("shipped.on_late = stuck", ("of: placed}", "of: placed}, on_late: stuck")),
        ("paid.within=", (", within: 30d", "")),
        ("paid.within.of=placed", ("within: 30d", "within: {time: 30d, of: placed}")),
        ("has-items.blocking=true", ('> 0"', '> 0", blocking: true')),
        ("completed_by=[shipped, paid]", ("completed_by: paid", "completed_by: [shipped, paid]")),
    ],
)
def test_change_is_what_the_file_would_say(change: str, written: tuple[str, str]) -> None:
    """A changed field makes the same definition as one written into the file."""
    assert load_process(DEFINITION, changes=[change]) == load_process(DEFINITION.replace(*written))


def test_changes_are_made_in_order() -> None:
    """The last of two counts."""
    process = load_process(DEFINITION, changes=["paid.within=1d", "paid.within=2d"])
    assert process == load_process(DEFINITION, changes=["paid.within=2d"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("paid", "--set:2: 'paid' is no change; write it like paid.within=30d"),
        (".within=1d", "--set:2: '.within=1d' is no change; write it like paid.within=30d"),
        ("payd.within=1d", "--set:2: there is no milestone or check 'payd'; did you mean 'paid'?"),
        ("paid.witin=1d", "--set:2: unknown field 'witin' in `milestones[paid]`; did you mean 'within'?"),
        ("paid.within=soon", "--set:2: `milestones[paid].within`: 'soon' is no time span"),
        ("shipped.within=soon", "--set:2: `milestones[shipped].within`: 'soon' is no time span"),
        ("completed_by=[", "--set:2: this is no valid YAML"),
        ("version=two", "--set:2: `version` must be a whole number of 1 or more, not 'two'"),
    ],
)
def test_wrong_change_is_told_like_a_wrong_line(change: str, sentence: str) -> None:
    """Place and sentence are those of the loader; the line is the number of the change."""
    with pytest.raises(InvalidProcess) as caught:
        load_process(DEFINITION, changes=["version=2", change])
    assert str(caught.value).startswith(sentence)
