# SPDX-License-Identifier: MIT
"""What has failed is left alone for a while: a failing question is asked, and waited for, once."""

import errno
import os
import pathlib
import signal
import time

import pytest

import harness
from api import ABSENT, REFUSED, Reply, customer, found
from policy import expired

# What a request may be late by on its way, on a machine that is busy with other things.
LATE_SECONDS = 0.5
FAULT = Reply(b'', 503)
PAGE = Reply(b'<html>Sign in</html>', 200, {'Content-Type': 'text/html'})
LONG = {'retries': '3', 'patience': '2', 'rate': '10000/s', 'burst': '100000'}


def timed(call):
    before = time.monotonic()
    return call(), time.monotonic() - before


@pytest.mark.parametrize('place', ['by-id/7', 'by-phone/9800000007', 'by-email/c7@example.com'])
def test_failing_refresh_of_an_expired_customer_is_one_question_and_one_wait(mounts, api, place):
    api.add_numbers([7])
    first = mounts(api.url)
    for known in ('by-id/7', 'by-phone/9800000007', 'by-email/c7@example.com'):
        os.stat(first / known)
    first.close()
    del api.requests[:]
    mount = mounts(api.url, ttl='0', **LONG)
    api.respond = lambda request: FAULT
    shown, seconds = timed(lambda: (mount / place / 'name').read_text())
    assert shown == 'Customer 7\n'
    assert seconds < 2 + 0.5
    assert len({request.key for request in api.requests}) == 1
    assert len(api.requests) <= 4
    # Whatever else there is of the customer, it costs nothing now.
    asked = len(api.requests)
    _, seconds = timed(lambda: [(mount / place / 'contacts/500007' / name).read_text()
                                for name in ('phone', 'email')])
    assert seconds < 0.5
    assert len(api.requests) == asked


@pytest.mark.parametrize('name', ['by-id/7', 'by-phone/9800000007', 'by-email/c7@example.com'])
@pytest.mark.parametrize('reply, error', [(FAULT, errno.EIO), (Reply(b'', 429), errno.EBUSY),
                                          (PAGE, errno.EPROTO), (Reply(b'', 400), errno.EINVAL),
                                          (Reply(b'', 404), errno.EIO)])
def test_error_of_an_unknown_key_is_told_again_without_asking(mounts, api, name, reply, error):
    mount = mounts(api.url)
    api.respond = lambda request: reply
    for _ in range(5):
        assert harness.errno_of(os.stat, mount / name) == error
    assert len(api.requests) == 1


@pytest.mark.parametrize('place', ['by-id/7', 'by-phone/9800000007', 'by-email/c7@example.com'])
def test_answer_of_another_account_is_one_question(mounts, api, place):
    """Each name of the path would ask again, and be refused again."""
    api.add_numbers([7])
    first = mounts(api.url)
    os.stat(first / place)
    first.close()
    del api.requests[:]
    mount = mounts(api.url, ttl='0')
    api.respond = lambda request: found(customer(7, cmId=77, name='Another'))
    assert (mount / place / 'name').read_text() == 'Customer 7\n'
    assert (mount / place / 'contacts/500007/phone').read_text() == '9800000007\n'
    assert len(api.requests) == 1
    for _ in range(5):
        assert harness.errno_of(os.stat, mount / 'by-phone/9800000008') == errno.EPROTO
    assert len(api.requests) == 2


def test_it_is_left_alone_for_a_second_then_for_two(mounts, api):
    mount = mounts(api.url)
    api.respond = lambda request: FAULT
    end = time.monotonic() + 3.9
    while time.monotonic() < end:
        assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
        time.sleep(0.01)
    times = [request.time for request in api.requests]
    assert len(times) == 3
    assert 1 <= times[1] - times[0] < 1.5
    assert 2 <= times[2] - times[1] < 2.5


def test_customer_comes_as_soon_as_it_is_asked_again(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    api.reply_in_turn(FAULT, found(customer(7)))
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/7') == 0, 'it is found')
    assert len(api.requests) == 2


def test_retry_after_is_how_long_it_is_left_alone(mounts, api):
    mount = mounts(api.url, timeout='2')
    api.reply_in_turn(Reply(b'', 503, {'Retry-After': '3'}), Reply(ABSENT))
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
        time.sleep(0.01)
    assert len(api.requests) == 1
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT,
                       'it is asked again')


def test_others_are_asked_for_all_the_same(mounts, api):
    api.add_numbers([8])
    mount = mounts(api.url)
    api.respond = lambda request: FAULT if request.key[1] == '7' else api.honest(request)
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
    assert harness.errno_of(os.stat, mount / 'by-id/8') == 0
    assert harness.errno_of(os.stat, mount / 'by-id/9') == errno.ENOENT


def test_absence_past_its_time_is_no_answer_while_the_key_is_left_alone(mounts, api):
    mount = mounts(api.url, negative_ttl='0')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT
    api.respond = lambda request: FAULT
    # What was answered in the millisecond of a look-up counts for it.
    time.sleep(0.005)
    for _ in range(3):
        assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
    assert len(api.requests) == 2


def test_day_is_left_alone_too(mounts, api):
    api.add_numbers([7])
    api.days['2020-02-29'] = [7]
    first = mounts(api.url, account_id='1000298', ttl='0')
    api.respond = lambda request: FAULT
    for _ in range(3):
        assert harness.errno_of(os.listdir, first / 'by-date/2020-02-29') == errno.EIO
    assert len(api.requests) == 1


def test_today_is_shown_as_it_was_and_asked_for_once(mounts, api):
    today = time.strftime('%Y-%m-%d', time.gmtime())
    api.add_numbers([7])
    api.days[today] = [7]
    mount = mounts(api.url, account_id='1000298', ttl='0', **LONG)
    assert os.listdir(mount / 'by-date' / today) == ['7']
    del api.requests[:]
    api.respond = lambda request: FAULT
    for _ in range(3):
        assert os.listdir(mount / 'by-date' / today) == ['7']
    assert len(api.requests) <= 4


# What ends it

def test_refresh_asks_what_is_left_alone(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    api.respond = lambda request: FAULT
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
    api.respond = api.honest
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
    assert harness.command('refresh', mount / 'by-id/7').returncode == 0
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == 2


def test_row_of_failures_begins_anew_after_a_refresh(mounts, api):
    mount = mounts(api.url)
    api.respond = lambda request: FAULT
    for _ in range(3):
        assert harness.command('refresh', mount / 'by-id/7').returncode != 0
    asked = len(api.requests)
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
    assert len(api.requests) == asked
    # A second later it is asked again, and not four.
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/7') and
                       len(api.requests) > asked, 'it is asked again', 2)


def test_sighup_asks_all_that_is_left_alone(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url)
    api.respond = lambda request: FAULT
    for number in (7, 8):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == errno.EIO
    api.respond = api.honest
    mount.process.send_signal(signal.SIGHUP)
    assert mount.log.wait_for('token: taken up')
    for number in (7, 8):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == 0


def test_changed_token_file_ends_it(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    api.respond = lambda request: FAULT
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
    api.respond = lambda request: api.honest(request)
    api.token = 'another-token'
    mount.secrets.append(api.token)
    harness.write_token(pathlib.Path(mount.options['token_file']).parent, api.token)
    assert harness.errno_of(os.stat, mount / 'by-id/7') == 0


def test_forgotten_customer_is_asked_for(mounts, api):
    api.add_numbers([7])
    mount = expired(mounts, api, [7])
    api.respond = lambda request: FAULT
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    api.respond = api.honest
    assert harness.command('forget', mount / 'by-id/7').returncode == 0
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


# What is under way

def test_expired_customer_is_waited_for_once_while_it_is_asked_for(mounts, api):
    api.add_numbers([7])
    mount = expired(mounts, api, [7], patience='1')
    gate = api.hold(('id', '7'))
    shown, seconds = timed(lambda: (mount / 'by-id/7/name').read_text())
    assert shown == 'Customer 7\n'
    assert 1 - 0.05 <= seconds < 1.5
    for name in ('city', 'contacts/500007/phone', 'contacts/500007/email'):
        _, seconds = timed(lambda: harness.errno_of(os.stat, mount / 'by-id/7' / name))
        assert seconds < 0.5
    assert len(api.requests) == 1
    gate.set()


def test_who_comes_while_another_waits_is_served_the_old_answer_at_once(mounts, api):
    api.add_numbers([7])
    first = mounts(api.url)
    os.stat(first / 'by-phone/9800000007')
    first.close()
    mount = mounts(api.url, ttl='0', patience='15')
    gate = api.hold(('id', '7'))
    waiting = harness.start('cat', mount / 'by-id/7/name')
    api.wait_for(2)
    # By its other key, because the kernel has two who look for one name wait for each other.
    shown, seconds = timed(lambda: (mount / 'by-phone/9800000007/name').read_text())
    assert shown == 'Customer 7\n'
    assert seconds < 5
    assert waiting.poll() is None
    assert len(api.requests) == 2
    gate.set()
    assert harness.finish(waiting)[1] == b'Customer 7\n'


def test_refused_token_is_an_answer_and_leaves_nothing_alone(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    api.respond = lambda request: Reply(REFUSED)
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EACCES
    api.respond = api.honest
    mount.process.send_signal(signal.SIGHUP)
    assert mount.log.wait_for('token: taken up')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == 0


def test_renewals_that_nobody_waits_for_leave_half_of_the_rate_to_others(mounts, api):
    """Without patience all are served the old answer, and are renewed in the background."""
    numbers = range(1, 61)
    api.add_numbers(range(1, 70))
    mount = expired(mounts, api, numbers, rate='20/s', burst='4', patience='0', timeout='30')
    before = time.monotonic()
    for number in numbers:
        assert (mount / f'by-id/{number}/name').read_text() == f'Customer {number}\n'
    # Who is not cached waits, but not for them.
    while time.monotonic() < before + 1.5:
        time.sleep(0.01)
    asked = time.monotonic()
    assert harness.errno_of(os.stat, mount / 'by-id/65') == 0
    assert time.monotonic() - asked < LATE_SECONDS
    renewals = [request.time for request in api.requests if int(request.key[1]) in numbers]
    # What was asked while its reader still waited comes on top; that is no more than the burst.
    most = 4 + 10 * (1 + LATE_SECONDS)
    assert len([moment for moment in renewals if moment < before + 1]) <= most


# What counts for nothing

def test_what_waited_for_its_turn_until_too_late_is_asked_for_again_at_once(mounts, api):
    """It had less than half of the time: that says nothing about the API, nor about the key."""
    api.add_numbers([1, 2])
    gates = {('id', '1'): api.gate(), ('id', '2'): api.gate()}

    def respond(request):
        reply = api.honest(request)
        reply.gate = gates[request.key]
        return reply
    api.respond = respond
    mount = mounts(api.url, timeout='4', max_connections='1')
    first = harness.start('stat', mount / 'by-id/1')
    api.wait_for(1)
    second = harness.start('stat', mount / 'by-id/2')
    time.sleep(2.6)
    gates['id', '1'].set()
    assert harness.finish(first)[0] == 0
    assert harness.finish(second)[0] == 1
    assert [request.key for request in api.requests] == [('id', '1'), ('id', '2')]
    api.respond = api.honest
    assert (mount / 'by-id/2/name').read_text() == 'Customer 2\n'
