"""Tests of the correlator; assertions of their shared helpers explain themselves."""

import pytest

pytest.register_assert_rewrite("tests.correlator.facts", "tests.correlator.cases")
