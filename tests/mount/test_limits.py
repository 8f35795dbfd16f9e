# SPDX-License-Identifier: MIT
"""What a hostile answer can take: a bounded part of memory and of the loop's time."""

import errno
import os
import re
import time

import api as api_module
import harness
from api import Reply, found
from days import DAY, KNOWN, ids

VALUES_MAX = 1 << 16
# What the daemon is given for customers, and what it has besides.
MEMORY = '64M'
PEAK_KIB_MAX = 96 << 10
# A page takes as long to read as the words of others, however large; generous for a busy machine.
TURN_US_MAX = 400000


def peak_kib(mount):
    status = open(f'/proc/{mount.process.pid}/status', encoding='ascii').read()
    return int(re.search(r'VmHWM:\s+(\d+) kB', status)[1])


def longest_turn_us(mount):
    name = 'kapturefs_loop_turn_longest_microseconds'
    metrics = (mount / '.kapturefs/metrics').read_text()
    return int(re.search(rf'^{name} (\d+)', metrics, re.MULTILINE)[1])


def assert_bounded(mount):
    # Instrumented, everything takes many times as much.
    if not harness.HAS_SANITIZER:
        assert peak_kib(mount) < PEAK_KIB_MAX
        assert longest_turn_us(mount) < TURN_US_MAX


def wide(count, text='"m%d":0'):
    """A customer of so many values, of which the object and two members are three."""
    members = ','.join(text % i for i in range(count - 3))
    return f'{{"id":7,"cmId":{api_module.ACCOUNT},{members}}}'.encode()


def test_customer_of_more_values_than_65536_is_efbig(mounts, api):
    api.add(wide(VALUES_MAX), ('id', '7'))
    mount = mounts(api.url, memory=MEMORY)
    assert len(os.listdir(mount / 'by-id/7')) == VALUES_MAX - 1
    api.add(wide(VALUES_MAX + 1), ('id', '8'))
    assert harness.errno_of(os.listdir, mount / 'by-id/8') == errno.EFBIG
    assert 'the reply has more than 65536 values' in mount.log.text()
    assert os.listdir(mount / 'by-id') == ['7']
    assert_bounded(mount)


def test_reply_of_a_million_values_takes_neither_memory_nor_time(mounts, api):
    for number, customer in enumerate([wide(600000), wide(760000, '"a":%d'),
                                       b'{"id":7,"a":[0' + b',0' * 4000000 + b']}',
                                       b'{"id":7,"a":[[]' + b',[]' * 2700000 + b']}']):
        assert len(customer) < 8 << 20
        api.add(customer, ('id', str(number + 7)))
    mount = mounts(api.url, memory=MEMORY)
    for number in range(4):
        assert harness.errno_of(os.listdir, mount / f'by-id/{number + 7}') == errno.EFBIG
    assert_bounded(mount)


def test_values_around_the_customer_count_too(mounts, api):
    customer = found(b'{"id":7}').body[:-1]
    api.respond = lambda request: Reply(customer + b', "a":[0' + b',0' * 3000000 + b']}')
    mount = mounts(api.url, memory=MEMORY)
    assert harness.errno_of(os.listdir, mount / 'by-id/7') == errno.EFBIG
    assert_bounded(mount)


def test_day_of_wide_customers_keeps_their_ids_alone(mounts, api):
    members = {f'm{i}': 0 for i in range(7000)}
    records = [{**members, 'id': number, 'cmId': api_module.ACCOUNT} for number in range(1, 101)]
    reply = api_module.page(records, totalCount=100)
    assert 7 << 20 < len(reply.body) < 8 << 20
    api.respond = lambda request: reply
    mount = mounts(api.url, memory=MEMORY, **KNOWN)
    assert ids(mount) == [str(number) for number in range(1, 101)]
    assert_bounded(mount)


def test_nobody_waits_for_a_reply_of_a_million_values(mounts, api):
    """The loop goes on: what is cached is read meanwhile."""
    api.add(b'{"id":7,"a":[0' + b',0' * 1000000 + b']}', ('id', '7'))
    api.add_numbers([8])
    mount = mounts(api.url, memory=MEMORY)
    os.stat(mount / 'by-id/8/name')
    gate = api.hold(('id', '7'))
    slow = harness.start('ls', mount / 'by-id/7')
    api.wait_for(2)
    gate.set()
    longest = 0
    while slow.poll() is None:
        began = time.monotonic()
        os.stat(mount / 'by-id/8/name')
        longest = max(longest, time.monotonic() - began)
    harness.finish(slow)
    assert longest < 1e-6 * TURN_US_MAX or harness.HAS_SANITIZER
