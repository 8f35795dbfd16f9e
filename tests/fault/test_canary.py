# SPDX-License-Identifier: MIT
"""A matrix that cannot fail proves nothing: whoever breaks the contract is found."""

import pytest

import harness
import matrix as matrix_module
from cells import OPERATIONS
from faults import Fault, broken, rule


@pytest.fixture(autouse=True)
def once(monkeypatch):
    monkeypatch.setattr(matrix_module, 'RUNS_MAX', 1)


def bad_cells(result):
    """{(operation, state): word} of those that the matrix calls wrong."""
    return {place: cell.word for place, cell in result.cells.items() if not cell.is_good}


def mounts_with(monkeypatch, **lies):
    """Mounts that have other options than the matrix believes."""
    real = harness.Mount
    monkeypatch.setattr(harness, 'Mount', lambda source, directory, **options: real(
        source, directory, **{**options, **lies}))


def test_values_of_another_customer_are_found():
    # By phone, nobody but the matrix can tell.
    fault = Fault('H15', 'swapped', rule(answer='swapped'), 'EPROTO', 'old')
    assert bad_cells(matrix_module.run_fault(fault, '1')) == {
        ('second key', 'cold'): 'other', ('second key', 'expired'): 'other'}


def test_call_that_waits_for_too_long_is_found(monkeypatch):
    fault = broken('N9', 'no answer', 'ETIMEDOUT', hang=True)
    mounts_with(monkeypatch, timeout=str(int(fault.timeout + matrix_module.SLACK) + 2))
    assert bad_cells(matrix_module.run_fault(fault, '1')) == {
        (operation, 'cold'): 'ETIMEDOUT' for operation in OPERATIONS}


def test_error_in_place_of_an_old_answer_is_found(monkeypatch):
    mounts_with(monkeypatch, max_stale='0')
    result = matrix_module.run_fault(broken('H7', 'status 503', status=503), '1')
    # What is known of a customer is told whatever its age.
    assert bad_cells(result) == {
        (operation, 'expired'): 'EIO' for operation in OPERATIONS if operation != '.meta'}


def test_mount_that_does_not_recover_is_found():
    fault = Fault('H4', 'retry in an hour', rule(status=503, headers={'Retry-After': '3600'}),
                  'EIO', 'old')
    assert matrix_module.run_fault(fault, '1').recovery < 0
