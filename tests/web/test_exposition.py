"""Gauges as text: what prometheus-client would write, whatever a label says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.registry import Collector

from rotator.web.exposition import Family, text

VALUES = st.text(max_size=9) | st.sampled_from(['"', "\\", "\n", "\\n", 'a"b', "ü", "{}", "%s"])
NUMBERS = st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False)
FAMILIES = st.dictionaries(st.tuples(VALUES, VALUES), NUMBERS, max_size=5).map(
    lambda samples: Family("rotator_it", "What it is.", ("credential", "user"), tuple(samples.items()))
)
READ = {"text": (generate_latest, read_text), "openmetrics": (generate_openmetrics, read_openmetrics)}


class Theirs(Collector):
    """The same, for prometheus-client."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self):
        made = GaugeMetricFamily(self._family.name, self._family.meaning, labels=self._family.labels)
        for values, number in self._family.samples:
            made.add_metric(values, float(number))
        yield made


@pytest.mark.parametrize("form", READ)
@given(family=FAMILIES)
def test_it_is_read_as_what_prometheus_client_writes(form, family):
    write, read = READ[form]
    end = "# EOF\n" if form == "openmetrics" else ""
    assert list(read(text([family]) + end)) == list(read(write(Theirs(family)).decode()))


def test_one_without_labels_has_no_braces():
    family = Family("rotator_it", "What it is.", (), (((), True),))
    assert text([family]) == "# HELP rotator_it What it is.\n# TYPE rotator_it gauge\nrotator_it 1.0\n"


def test_times_are_written_exactly():
    moment = 1798761600.123457
    line = text([Family("rotator_it", "", (), (((), moment),))]).splitlines()[-1]
    assert math.isclose(float(line.split()[1]), moment, rel_tol=0, abs_tol=0)
