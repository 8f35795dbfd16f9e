# SPDX-License-Identifier: MIT
"""How a mount treats an API that is slow, busy, broken, or refuses its token."""

import _thread
import contextlib
import email.utils
import errno
import os
import signal
import sys
import threading
import time

import pytest

import harness
from api import REFUSED, Reply, customer, found
from metrics import Metrics
from policy import expired, stat_all

PAGE = b'<!DOCTYPE html><html><body>Please sign in</body></html>'

# What a request may be late by on its way, on a machine that is busy with other things.
LATE_SECONDS = 0.5


def seconds(api):
    """When each request came, counted from the first."""
    return [request.time - api.requests[0].time for request in api.requests]


def state_of(mount, number):
    """What whoever goes into a customer is shown."""
    (mount / f'by-id/{number}/name').read_bytes()
    lines = (mount / f'by-id/{number}.meta').read_text().splitlines()
    return dict(line.split('=', 1) for line in lines)['state']


# The rate

def test_rate_is_honoured_whatever_the_cause(mounts, api):
    api.add_numbers(range(1, 41))
    rate, burst = 20, 5
    mount = mounts(api.url, rate=f'{rate}/s', burst=str(burst), max_connections='32')
    results = stat_all(mount, range(1, 41))
    assert set(results.values()) == {0}
    times = seconds(api)
    assert len(times) == 40
    assert times[-1] >= (40 - burst) / rate - LATE_SECONDS
    for first, start in enumerate(times):
        in_window = sum(start <= moment < start + 1 for moment in times[first:])
        assert in_window <= burst + rate * (1 + LATE_SECONDS)
    assert Metrics(mount)('api_throttled_total') > 0


def test_retries_count_like_any_request(mounts, api):
    api.respond = lambda request: Reply(b'', 503)
    mount = mounts(api.url, rate='2/s', burst='1', retries='2')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
    times = seconds(api)
    assert len(times) == 3
    assert times[1] >= 0.5 - 0.05 and times[2] >= 1 - 0.05


def test_expired_customer_is_served_at_once_while_there_is_no_budget(mounts, api):
    api.add_numbers([7, 8])
    mount = expired(mounts, api, [7], rate='1/s', burst='1', patience='20')
    gate = api.hold(('id', '8'))
    # This one takes what there is of a budget.
    waiting = harness.start('cat', mount / 'by-id/8/name')
    api.wait_for(1)
    api.add(customer(7, city='Pune'), ('id', '7'))
    before = time.monotonic()
    assert harness.errno_of(os.stat, mount / 'by-id/7/name') == 0
    # The patience would have been 20 s, and the next request may go out after 1 s.
    assert time.monotonic() - before < 1
    api.wait_for(2)
    assert api.requests[1].key == ('id', '7')
    gate.set()
    assert harness.finish(waiting)[0] == 0
    harness.wait_until(lambda: (mount / 'by-id/7.json').read_bytes().count(b'Pune'), 'renewed')


def test_customer_that_is_not_cached_waits_its_turn(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url, rate='1/s', burst='1')
    os.stat(mount / 'by-id/7')
    os.stat(mount / 'by-id/8')
    assert seconds(api)[1] >= 1 - 0.05


def test_too_many_requests_halves_the_rate(mounts, api):
    api.add_numbers(range(1, 10))
    mount = mounts(api.url, rate='4/s', burst='20', retries='1')
    replies = [Reply(b'', 429)]
    api.respond = lambda request: replies.pop() if replies else api.honest(request)
    assert harness.errno_of(os.stat, mount / 'by-id/1') == 0
    stat_all(mount, range(2, 5))
    times = seconds(api)
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    # At 4/s and with what was left of the burst, all would have come at once.
    assert len(gaps) == 4
    assert min(gaps) >= 0.5 - 0.1


# Retries

@pytest.mark.parametrize('status', [500, 502, 503, 504, 429])
def test_fault_that_passes_is_not_seen(mounts, api, status):
    api.add_numbers([7])
    replies = [Reply(b'', status), Reply(b'', status)]
    api.respond = lambda request: replies.pop() if replies else api.honest(request)
    mount = mounts(api.url, retries='3')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == 3
    assert Metrics(mount)('api_retries_total') == 2


def test_connection_that_is_refused_and_then_is_not_is_not_seen(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url, retries='10')
    api.close()
    waiting = harness.start('cat', mount / 'by-id/7/name')
    harness.wait_until(lambda: Metrics(mount)('api_requests_total', outcome='unreachable'),
                       'it was tried')
    api.open(api.port)
    assert harness.finish(waiting)[1] == b'Customer 7\n'


def test_many_at_once_survive_a_short_outage(mounts, api):
    api.add_numbers(range(1, 33))
    bad = 32
    lock = threading.Lock()

    def respond(request):
        nonlocal bad
        with lock:
            bad -= 1
            failing = bad >= 0
        return Reply(b'', 503) if failing else api.honest(request)
    api.respond = respond
    mount = mounts(api.url, retries='3', max_connections='32')
    assert set(stat_all(mount, range(1, 33)).values()) == {0}


def test_retry_after_in_seconds_is_honoured(mounts, api):
    api.add_numbers([7])
    replies = [Reply(b'', 503, {'Retry-After': '2'})]
    api.respond = lambda request: replies.pop() if replies else api.honest(request)
    mount = mounts(api.url, retries='1')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == 0
    assert seconds(api)[1] >= 2 - 0.05


def test_retry_after_as_a_date_is_honoured(mounts, api):
    api.add_numbers([7])
    # A date has no fractions, so 3 s ahead is at least 2 s away.
    date = email.utils.formatdate(time.time() + 3, usegmt=True)
    replies = [Reply(b'', 429, {'Retry-After': date})]
    api.respond = lambda request: replies.pop() if replies else api.honest(request)
    mount = mounts(api.url, retries='1')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == 0
    assert seconds(api)[1] >= 1.5


@pytest.mark.parametrize('value', ['-5', 'soon', '1e9', '', 'Thu, 01 Jan 1970 00:00:00 GMT', '0',
                                   '\t;%n%s', '2 3'])
def test_retry_after_that_makes_no_sense_or_is_over_delays_nothing(mounts, api, value):
    api.add_numbers([7])
    replies = [Reply(b'', 503, {'Retry-After': value})]
    api.respond = lambda request: replies.pop() if replies else api.honest(request)
    mount = mounts(api.url, retries='1')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == 0
    assert seconds(api)[1] < 2


@pytest.mark.parametrize('status, error', [(429, errno.EBUSY), (503, errno.EIO)])
@pytest.mark.parametrize('value', ['3600', '1000000000000000000000',
                                   'Fri, 31 Dec 9999 23:59:59 GMT'])
def test_retry_after_beyond_the_time_of_a_lookup_fails_at_once(mounts, api, value, status, error):
    api.respond = lambda request: Reply(b'', status, {'Retry-After': value})
    mount = mounts(api.url, retries='3')
    before = time.monotonic()
    for number in (7, 8, 9):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == error
    assert time.monotonic() - before < 5
    assert len(api.requests) == 1


# The breaker

def test_breaker_opens_and_the_api_recovers_without_a_remount(mounts, api):
    api.add_numbers(range(1, 30))
    api.respond = lambda request: Reply(b'', 500)
    mount = mounts(api.url)
    for number in range(1, 21):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == errno.EIO
    assert len(api.requests) == 3
    assert Metrics(mount)('api_breaker_state') == 2
    opened = api.requests[-1].time

    api.respond = api.honest
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/7') == 0, 'it recovers')
    # One interval later, and by the first probe.
    assert 5 - LATE_SECONDS <= api.requests[3].time - opened < 5 + 4 * LATE_SECONDS
    assert len(api.requests) == 4
    assert Metrics(mount)('api_breaker_state') == 0
    assert set(stat_all(mount, range(8, 16)).values()) == {0}


@pytest.mark.parametrize('reply', [Reply(b'', 503), Reply(PAGE), Reply(PAGE, 302)],
                         ids=['503', 'a page', 'a redirect'])
def test_one_customer_that_fails_locks_out_no_other(mounts, api, reply):
    api.add_numbers(range(8, 20))
    api.respond = lambda request: reply if request.key == ('id', '7') else api.honest(request)
    mount = mounts(api.url)
    for number in range(8, 20):
        for _ in range(2):
            assert harness.errno_of(os.stat, mount / 'by-id/7') != 0
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == 0
    assert Metrics(mount)('api_breaker_state') == 0


# What is wrong with one customer's reply, and a 429, which has its own pause.
OWN_FAULTS = {
    '400': (Reply(b'', 400), errno.EINVAL), '429': (Reply(b'', 429), errno.EBUSY),
    'other JSON': (Reply(b'{"status": "maintenance"}'), errno.EPROTO),
    'another customer': (found(customer(99)), errno.EPROTO),
    'unknown words': (Reply(b'{"Customer Details": "Busy", "status": "failed"}'), errno.EIO),
    'too large': (Reply(b' ' * (9 << 20)), errno.EFBIG),
    'cut short': (Reply(b'{}', length=500), errno.EPROTO),
    'half the JSON': (Reply(found(customer(7)).body[:-20]), errno.EPROTO)}


@pytest.mark.parametrize('case', OWN_FAULTS)
def test_what_is_wrong_with_many_replies_opens_no_breaker(mounts, api, case):
    reply, error = OWN_FAULTS[case]
    api.add_numbers([7])
    api.respond = lambda request: reply
    mount = mounts(api.url)
    for number in range(1, 6):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == error
    api.respond = api.honest
    assert harness.errno_of(os.stat, mount / 'by-id/7') == 0
    assert Metrics(mount)('api_breaker_state') == 0


def test_probes_of_a_dead_api_are_five_seconds_apart(mounts, api):
    api.respond = lambda request: Reply(b'', 503)
    mount = mounts(api.url)
    for number in range(1, 6):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == errno.EIO
    end = time.monotonic() + 11
    while time.monotonic() < end:
        before = time.monotonic()
        assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
        assert time.monotonic() - before < 1
        time.sleep(0.01)
    probes = [request.time for request in api.requests[2:]]
    assert 2 <= len(probes) - 1 <= 3
    assert min(later - earlier for earlier, later in zip(probes, probes[1:])) >= 5 - 0.1


def test_what_is_cached_is_served_while_the_breaker_is_open(mounts, api):
    api.add_numbers([7])
    mount = expired(mounts, api, [7], patience='20')
    api.close()
    for number in range(10, 15):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == errno.EHOSTUNREACH
    assert Metrics(mount)('api_breaker_state') == 2
    assert state_of(mount, 7) == 'stale'
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert harness.errno_of(os.stat, mount / 'by-id/20') == errno.EHOSTUNREACH
    api.open(api.port)


# Access denied

def test_page_of_a_firewall_for_one_key_is_that_keys_alone(mounts, api):
    api.add_numbers([7, 8, 9])
    mount = expired(mounts, api, [7], patience='20')
    denied = {('id', '7'), ('id', '66')}
    api.respond = lambda request: (Reply(PAGE, 403) if request.key in denied
                                   else api.honest(request))
    for _ in range(3):
        assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
        assert state_of(mount, 7) == 'stale'
        assert harness.errno_of(os.stat, mount / 'by-id/66') == errno.EACCES
    for number in (8, 9):
        assert (mount / f'by-id/{number}/name').read_text() == f'Customer {number}\n'
    assert Metrics(mount)('api_token_state') == 0


def test_access_denied_to_three_keys_in_a_row_closes_the_door(mounts, api):
    api.add_numbers([7, 8])
    mount = expired(mounts, api, [7], patience='20')
    api.respond = lambda request: Reply(PAGE, 403)
    for number in (1, 2):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == errno.EACCES
    # That there is somebody, or nobody, says that it is not the token.
    api.respond = api.honest
    assert harness.errno_of(os.stat, mount / 'by-id/66') == errno.ENOENT
    api.respond = lambda request: Reply(PAGE, 403)
    for number in (3, 4):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == errno.EACCES
    assert (Metrics(mount)('api_token_state'), len(api.requests)) == (0, 5)
    assert harness.errno_of(os.stat, mount / 'by-phone/555') == errno.EACCES
    assert Metrics(mount)('api_token_state') == 2
    assert harness.errno_of(os.stat, mount / 'by-id/7/name') == errno.EACCES
    assert harness.errno_of(os.stat, mount / 'by-id/8') == errno.EACCES
    assert len(api.requests) == 6


# Stale answers

# What is neither a customer, nor that there is none, nor that the token is refused.
NOT_DEFINITE = {
    'status 500': Reply(b'', 500), 'status 503': Reply(PAGE, 503), 'status 429': Reply(b'', 429),
    'status 400': Reply(b'', 400), 'status 404 with a page': Reply(PAGE, 404),
    'a page': Reply(PAGE, 200, {'Content-Type': 'text/html'}), 'nothing': Reply(b''),
    'a redirect': Reply(PAGE, 302, {'Location': '/login'}), 'status 204': Reply(b'', 204),
    'not now': Reply(b'Try again later'), 'an empty object': Reply(b'{}'),
    'JSON of another kind': Reply(b'{"status": "maintenance"}'),
    'success with text': Reply(b'{"Customer Details": "Busy", "status": "success"}'),
    'another customer': found(customer(8)), 'half a customer': Reply(found(customer(7)).body[:-20]),
    'too large': Reply(b' ' * (9 << 20)), 'cut short': Reply(b'{}', length=500),
    'a failure without a reason': Reply(b'{"status": "failed"}')}


@pytest.mark.parametrize('case', NOT_DEFINITE)
def test_expired_customer_is_served_when_the_answer_is_not_definite(mounts, api, case):
    api.add_numbers([7])
    mount = expired(mounts, api, [7], patience='20')
    api.respond = lambda request: NOT_DEFINITE[case]
    assert state_of(mount, 7) == 'stale'
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert os.listdir(mount / 'by-id') == ['7']
    # Nor is it gone under its other keys, and the next answer is taken.
    api.respond = api.honest
    assert (mount / 'by-phone/9800000007/name').read_text() == 'Customer 7\n'


@pytest.mark.parametrize('reply', [Reply(REFUSED), Reply(REFUSED, 500), Reply(PAGE, 401),
                                   Reply(found(customer(7)).body, 401)])
def test_expired_customer_is_not_served_when_the_token_is_refused(mounts, api, reply):
    api.add_numbers([7])
    mount = expired(mounts, api, [7])
    api.respond = lambda request: reply
    assert harness.errno_of(os.stat, mount / 'by-id/7/name') == errno.EACCES


def test_stale_answers_end_with_max_stale(mounts, api):
    api.add_numbers([7])
    mount = expired(mounts, api, [7], max_stale='0')
    api.respond = lambda request: Reply(b'', 500)
    assert harness.errno_of(os.stat, mount / 'by-id/7/name') == errno.EIO


def test_patience_ends_the_wait_and_the_request_goes_on(mounts, api):
    api.add_numbers([7])
    mount = expired(mounts, api, [7], patience='1')
    api.add(customer(7, city='Pune'), ('id', '7'))
    gate = api.hold(('id', '7'))
    assert state_of(mount, 7) == 'stale'
    gate.set()
    harness.wait_until(lambda: (mount / 'by-id/7.json').read_bytes().count(b'Pune'), 'renewed')


def test_time_moves_only_when_a_value_does(mounts, api):
    api.add(customer(7, city='Pune', zone=3), ('id', '7'))
    mount = mounts(api.url, ttl='0', patience='20')
    first = {name: os.stat(mount / 'by-id/7' / name).st_mtime_ns for name in ('city', 'zone')}
    again = {name: os.stat(mount / 'by-id/7' / name).st_mtime_ns for name in ('city', 'zone')}
    assert again == first
    api.add(customer(7, city='Delhi', zone=3), ('id', '7'))
    assert (mount / 'by-id/7/city').read_text() == 'Delhi\n'
    assert os.stat(mount / 'by-id/7/city').st_mtime_ns > first['city']
    assert os.stat(mount / 'by-id/7/zone').st_mtime_ns == first['zone']


# Limits

def spellings(phone, count):
    """Different names of one key: each is a lookup of its own, and all wait for one answer."""
    for number in range(count):
        gaps = [('', '-', '.', ' ')[number // 4 ** place % 4] for place in range(len(phone) - 1)]
        yield ''.join(digit + gap for digit, gap in zip(phone, gaps + ['']))


@contextlib.contextmanager
def room_for_many_threads():
    """Small stacks, and no fight for the interpreter among those who wait for the kernel."""
    size, interval = threading.stack_size(64 << 10), sys.getswitchinterval()
    sys.setswitchinterval(5)
    try:
        yield
    finally:
        threading.stack_size(size)
        sys.setswitchinterval(interval)


def test_more_than_may_wait_are_turned_away_at_once_and_the_rest_is_served(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url, timeout='60')
    os.stat(mount / 'by-id/8')
    gate = api.hold(('phone', '9800000007'))
    results = []
    with room_for_many_threads():
        for name in spellings('9800000007', 5050):
            _thread.start_new_thread(lambda path: results.append(
                harness.errno_of(os.lstat, path)), (mount / 'by-phone' / name,))
        harness.wait_until(lambda: len(results) == 50, 'fifty are turned away')
        assert set(results) == {errno.EBUSY}
        assert Metrics(mount)('pending_lookups') == 5000
        # Cached ones are as ever.
        assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
        refused = harness.command('refresh', mount / 'by-id/9')
        gate.set()
        harness.wait_until(lambda: len(results) == 5050, 'all have an answer')
    assert refused.stderr.endswith('/by-id/9: too many look-ups wait already\n')
    assert sorted(results) == [0] * 5000 + [errno.EBUSY] * 50
    assert len(api.requests) == 2
    assert Metrics(mount)('lookups_turned_away_total') == 51


def test_lookup_never_waits_longer_than_its_timeout_whatever_it_waits_for(mounts, api):
    api.add_numbers(range(1, 20))
    # One hangs, one waits for a connection, one for the rate, one between its tries.
    api.hold(('id', '1'))
    mount = mounts(api.url, timeout='2', retries='10', max_connections='1', rate='1/s', burst='1')
    before = time.monotonic()
    results = stat_all(mount, range(1, 9))
    assert time.monotonic() - before < 2 + 1
    assert set(results.values()) <= {0, errno.ETIMEDOUT}
    assert errno.ETIMEDOUT in results.values()


def test_time_in_the_queue_is_not_counted_against_the_api(mounts, api):
    api.add_numbers(range(1, 100))

    def respond(request):
        time.sleep(0.6)
        return api.honest(request)
    api.respond = respond
    mount = mounts(api.url, timeout='2', max_connections='4', rate='1000/s', burst='100')
    results = stat_all(mount, range(1, 33))
    assert set(results.values()) == {0, errno.ETIMEDOUT}
    assert Metrics(mount)('api_breaker_state') == 0
    assert harness.errno_of(os.stat, mount / 'by-id/99') == 0


def test_killed_lookup_that_was_not_asked_yet_is_not_asked_at_all(mounts, api):
    api.add_numbers([7, 8, 9])
    mount = mounts(api.url, max_connections='1')
    gate = api.hold(('id', '7'))
    first = harness.start('stat', mount / 'by-id/7')
    api.wait_for(1)
    second = harness.start('stat', mount / 'by-id/8')
    harness.wait_until(lambda: Metrics(mount)('pending_lookups') == 2, 'the second waits')
    second.kill()
    harness.finish(second, 5)
    gate.set()
    assert harness.finish(first)[0] == 0
    assert harness.errno_of(os.stat, mount / 'by-id/9') == 0
    assert [request.key[1] for request in api.requests] == ['7', '9']


def test_offline_asks_nothing_and_serves_what_is_cached(mounts, api):
    api.add_numbers([7])
    first = mounts(api.url)
    os.stat(first / 'by-id/7')
    first.close()
    mount = mounts(api.url, offline=True, ttl='0', max_stale='0')
    assert state_of(mount, 7) == 'stale'
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert harness.errno_of(os.stat, mount / 'by-id/8') == errno.ENETDOWN
    assert len(api.requests) == 1


def test_failures_are_counted_by_what_they_were(mounts, api):
    mount = mounts(api.url)
    for status, outcome in ((429, 'throttled'), (500, 'fault'), (400, 'invalid')):
        api.respond = lambda request, status=status: Reply(b'', status)
        harness.errno_of(os.stat, mount / 'by-id' / str(status))
        assert Metrics(mount)('api_requests_total', outcome=outcome) == 1
    api.respond = lambda request: Reply(REFUSED)
    harness.errno_of(os.stat, mount / 'by-id/7')
    harness.errno_of(os.stat, mount / 'by-id/7')
    assert Metrics(mount)('api_requests_total', outcome='refused') == 1
    assert Metrics(mount)('api_held_back_total') == 1


def test_answer_of_a_probe_is_an_answer_like_any(mounts, api):
    api.respond = lambda request: Reply(b'', 500)
    mount = mounts(api.url)
    for number in range(1, 6):
        harness.errno_of(os.stat, mount / 'by-id' / str(number))
    api.respond = lambda request: found(customer(int(request.key[1])))
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/7') == 0, 'it recovers')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
