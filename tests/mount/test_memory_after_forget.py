# SPDX-License-Identifier: MIT
"""What was forgotten is not left in the memory of the daemon."""

import contextlib
import json
import os
import pathlib
import re
import subprocess

import pytest

import api as api_module
import harness

pytestmark = pytest.mark.skipif(os.getuid() != 0 or harness.HAS_SANITIZER,
                                reason='reads the memory of a daemon that lets nobody but root; '
                                       'sanitizers keep what was freed')

NAME = 'Zebulon Quartermaine'
EMAIL = 'zebulon.quartermaine@example.com'
PLANTED = re.compile(rb'quartermaine', re.IGNORECASE)


def memory_of(pid):
    """(name of the mapping, its bytes) for all that the process may write to."""
    with open(f'/proc/{pid}/mem', 'rb', buffering=0) as memory:
        for line in pathlib.Path(f'/proc/{pid}/maps').read_text().splitlines():
            place, mode, _, _, _, *name = line.split(maxsplit=5)
            first, end = (int(word, 16) for word in place.split('-'))
            if 'w' not in mode or name and name[0].startswith('[v'):
                continue
            memory.seek(first)
            content = b''
            while len(content) < end - first:
                piece = memory.read(end - first - len(content))
                assert piece, line
                content += piece
            yield (name[0] if name else 'anonymous') + f' {place}', content


def copies(pid):
    """Where the name is, with what is around it."""
    return [(name, hex(match.start()), content[max(match.start() - 60, 0):match.end() + 30])
            for name, content in memory_of(pid) for match in PLANTED.finditer(content)]


def read_by_all_ways(mount):
    for key in ('by-id/7', 'by-phone/9800000007', f'by-email/{EMAIL}'):
        assert (mount / key / 'name').read_text() == NAME + '\n'
        assert NAME in (mount / f'{key}.json').read_text()
        (mount / f'{key}.meta').read_text()
        subprocess.run(['ls', '-lR', mount / key], check=True, capture_output=True, timeout=30)
    assert '7' in os.listdir(mount / 'search/shillong')
    assert NAME in (mount / 'export/customers.ndjson').read_text()


def plant(api):
    api.add(json.dumps({
        'id': 7, 'cmId': api_module.ACCOUNT, 'name': NAME, 'city': 'Shillong', 'contacts': [
            {'id': 500007, 'contactPerson': NAME, 'phone': '9800000007', 'email': EMAIL,
             'isPrimaryContact': True}]}).encode(),
            ('id', '7'), ('phone', '9800000007'), ('email', EMAIL))
    api.add_numbers(range(20, 60))
    return api


@pytest.fixture
def planted(api):
    return plant(api)


def forget_and_look(mount, key):
    pid = mount.process.pid
    assert copies(pid), 'what is looked for could not be found'
    result = harness.command('forget', mount / key)
    assert (result.returncode, result.stderr) == (0, '')
    # Soon after: when all that has handled it has returned.
    with contextlib.suppress(AssertionError):
        harness.wait_until(lambda: not copies(pid), 'it is wiped', seconds=5)
    assert copies(pid) == []


def test_name_of_a_forgotten_customer_is_nowhere_in_memory(mounts, planted):
    mount = mounts(planted.url)
    for number in range(20, 60):
        (mount / f'by-id/{number}/name').read_text()
    read_by_all_ways(mount)
    forget_and_look(mount, 'by-id/7')
    assert (mount / 'by-id/20/name').read_text() == 'Customer 20\n'


def test_nor_is_that_of_one_who_was_forgotten_by_an_address(mounts, planted):
    mount = mounts(planted.url)
    read_by_all_ways(mount)
    forget_and_look(mount, f'by-email/{EMAIL}')


def test_nor_is_it_in_the_buffers_of_tls(mounts, certificate):
    with contextlib.closing(api_module.Api(certificate=certificate)) as api:
        mount = mounts(plant(api).url, cafile=str(certificate[0]))
        read_by_all_ways(mount)
        forget_and_look(mount, 'by-id/7')


def test_nor_is_it_where_others_changed_and_searched_meanwhile(mounts, planted):
    mount = mounts(planted.url)
    read_by_all_ways(mount)
    planted.add_numbers(range(20, 40), city='Shillong')
    for number in range(20, 40):
        harness.command('refresh', mount / f'by-id/{number}')
    assert len(os.listdir(mount / 'search/shillong')) == 21
    harness.command('refresh', mount / 'by-id/7')
    read = harness.command('export', '--format', 'csv', mount.path)
    assert NAME in read.stdout
    forget_and_look(mount, 'by-id/7')
