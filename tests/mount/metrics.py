# SPDX-License-Identifier: MIT
"""The counters of a mount, read as a monitoring system would."""

import re

SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')


def parse(text):
    """{(name, labels): value} of the Prometheus text format."""
    samples = {}
    for line in text.splitlines():
        if line and not line.startswith('#'):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            assert (name, labels) not in samples, line
            samples[name, labels] = float(value)
    return samples


class Metrics:
    """One look at a mount's counters."""

    def __init__(self, mount):
        self.samples = parse((mount / '.kapturefs/metrics').read_text())

    def __call__(self, name, **labels):
        """The sum of the samples with that name and all of these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [value for (sample, text), value in self.samples.items()
                 if sample == f'kapturefs_{name}' and all(word in (text or '') for word in wanted)]
        assert found, f'there is no kapturefs_{name} {labels}'
        return sum(found)

    def fuse(self, *operations):
        """How many requests of the kernel there were, of some operations or of all."""
        return sum(self('fuse_requests_total', operation=operation) for operation in operations) \
            if operations else self('fuse_requests_total')
