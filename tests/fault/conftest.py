# SPDX-License-Identifier: MIT
"""The matrix of this session, and its table at the end.

FAULT_MATRIX=full runs every fault; FAULT_SEEDS, blanks between them, runs each under several seeds;
FAULT_TABLE is a file for the table, besides the terminal.
"""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'mount'))

import harness  # noqa: E402
import matrix as matrix_module  # noqa: E402
from faults import selection  # noqa: E402

FAULTS = selection(os.environ.get('FAULT_MATRIX') == 'full')
SEEDS = os.environ.get('FAULT_SEEDS', '1').split()
TABLE = pytest.StashKey()


def pytest_sessionstart(session):
    harness.require_fuse()


def pytest_generate_tests(metafunc):
    if 'fault' in metafunc.fixturenames:
        keys = [(fault, seed) for seed in SEEDS for fault in FAULTS]
        metafunc.parametrize('fault', keys,
                             ids=[f'{fault.case}-{fault.name}-{seed}' for fault, seed in keys])


@pytest.fixture(scope='session')
def matrix(request):
    """Runs what the tests of this session are about, in the background."""
    keys = [item.callspec.params['fault'] for item in request.session.items
            if 'fault' in getattr(getattr(item, 'callspec', None), 'params', {})]
    made = matrix_module.Matrix(list(dict.fromkeys(keys)))
    yield made
    made.close()
    request.config.stash[TABLE] = matrix_module.table(made.finished())


@pytest.fixture
def result(matrix, fault):
    return matrix.result(fault)


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(TABLE, [])
    for line in lines:
        terminalreporter.write_line(line)
    if lines and 'FAULT_TABLE' in os.environ:
        pathlib.Path(os.environ['FAULT_TABLE']).write_text('\n'.join(lines) + '\n')


@pytest.fixture
def sandboxes():
    made = []

    def make(**settings):
        made.append(harness.Sandbox(**settings))
        return made[-1]
    yield make
    for sandbox in made:
        sandbox.close()
