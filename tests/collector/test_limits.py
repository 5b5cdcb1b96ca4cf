"""Memory in flight is shared so that a busy tenant waits before a modest one does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.collector.limits import OVERHEAD, Budget, Busy, Hold


def fill(budget: Budget, tenant: str, step: int = 1) -> int:
    """Take until refused; return what was taken."""
    taken = 0
    while True:
        try:
            budget.take(tenant, step)
        except Busy:
            return taken
        taken += step


def test_one_tenant_gets_half_and_leaves_room() -> None:
    """A tenant alone gets half; a second then gets half of what is left; a third still passes."""
    budget = Budget(1_200)
    assert fill(budget, "a") == 600
    assert fill(budget, "b") == 300
    budget.take("c", 100)


def test_released_memory_serves_those_who_wait() -> None:
    """What one gives back, another may take."""
    budget = Budget(1_000)
    assert fill(budget, "a") == 500
    budget.give_back("a", 500)
    assert budget.used == 0
    assert fill(budget, "b") == 500


def test_a_hold_ends_with_its_block() -> None:
    """Whatever happens inside, everything is given back."""
    budget = Budget(1_000_000)

    def fail() -> None:
        with Hold(budget, "a") as hold:
            hold.take(1_000)
            hold.give_back(400)
            assert budget.used == OVERHEAD + 600
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert budget.used == 0


def test_a_refused_hold_holds_nothing() -> None:
    """No room for even the overhead."""
    budget = Budget(OVERHEAD)
    budget.take("other", OVERHEAD // 2)
    with pytest.raises(Busy), Hold(budget, "a"):
        pass
    assert budget.used == OVERHEAD // 2


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 400), st.booleans()), max_size=60))
def test_the_limit_holds_and_the_smallest_is_never_behind_a_larger(
    steps: list[tuple[str, int, bool]],
) -> None:
    """Never more than the limit; if a request is refused, one as large of a tenant holding more is too."""
    budget = Budget(1_000)
    held = dict.fromkeys("abcd", 0)
    for tenant, size, release in steps:
        if release:
            budget.give_back(tenant, held[tenant]) if held[tenant] else None
            held[tenant] = 0
            continue
        try:
            budget.take(tenant, size)
            held[tenant] += size
        except Busy:
            for other in held:
                if held[other] > held[tenant]:
                    with pytest.raises(Busy):
                        budget.take(other, size)
        assert budget.used == sum(held.values()) <= 1_000
