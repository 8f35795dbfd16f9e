# SPDX-License-Identifier: MIT
"""Each fault, on each operation, in each state of the cache: the errno or the exact bytes, in time,
and without a remount when it is over."""

import pytest

from cells import OPERATIONS, STATES


@pytest.mark.parametrize('state', STATES)
@pytest.mark.parametrize('operation', OPERATIONS)
def test_cell(result, operation, state):
    cell = result.cells[operation, state]
    assert cell.word in cell.expected
    assert cell.seconds <= cell.limit


def test_everything_is_well_again_without_a_remount(fault, result):
    ill = {(operation, state): cell.after for (operation, state), cell in result.cells.items()
           if cell.after not in fault[0].healed(state, operation)}
    if fault[0].recovers:
        assert (result.recovery >= 0, ill) == (True, {})


def test_the_fault_has_reached_the_daemon(fault, result):
    """What has not happened proves nothing."""
    if fault[0].source != 'stopped':
        assert result.rules and all(rule['fired'] for rule in result.rules), result.rules
