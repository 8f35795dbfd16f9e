# SPDX-License-Identifier: MIT
"""Each failure is its own errno, and none of them is an invented answer."""

import errno
import json
import os
import socket

import pytest

import harness
from api import ABSENT, REFUSED, Reply, customer, found

HTML = b'<!DOCTYPE html><html><body>Sign in</body></html>'


def failed(text, status=200, member='Customer Details'):
    return Reply(json.dumps({member: text, 'status': 'failed'}).encode(), status)


def details(text):
    return Reply(b'{"Customer Details": ' + text + b', "status": "success"}')


CASES = {
    # The token
    'invalid key': (Reply(REFUSED), 'EACCES'),
    'invalid key in capitals': (Reply(b'{"Message": "Invalid Auth Key", "Status": "Failed"}'),
                                'EACCES'),
    'invalid key with status 401': (Reply(REFUSED, 401), 'EACCES'),
    'invalid key with status 500': (Reply(REFUSED, 500), 'EACCES'),
    'status 401': (Reply(b'', 401), 'EACCES'),
    'status 403': (Reply(HTML, 403), 'EACCES'),
    # Absence is proven by the documented body only
    'absent': (Reply(ABSENT), 'ENOENT'),
    'absent in capitals': (Reply(ABSENT.upper()), 'ENOENT'),
    'absent, spelt otherwise': (failed('Information given by you, does not exist!'), 'ENOENT'),
    'absent with status 404': (Reply(ABSENT, 404), 'ENOENT'),
    'absent with status 400': (Reply(ABSENT, 400), 'ENOENT'),
    'absent with status 403': (Reply(ABSENT, 403), 'ENOENT'),
    # ... and not where the code or the words say that nobody has looked
    'absent with status 500': (Reply(ABSENT, 500), 'EIO'),
    'absent with status 429': (Reply(ABSENT, 429), 'EBUSY'),
    'absent with status 401': (Reply(ABSENT, 401), 'EACCES'),
    'a fault in words': (failed('Internal Server Error', 500), 'EIO'),
    'too many in words': (failed('Too many requests', 429), 'EBUSY'),
    'unknown words': (failed('Internal Server Error'), 'EIO'),
    'unknown words with status 404': (failed('Not found', 404), 'EIO'),
    'unknown words with status 400': (failed('Bad request', 400), 'EINVAL'),
    'no words': (failed(''), 'EIO'),
    'nearly the words': (failed('Information given by you'), 'EIO'),
    'the words elsewhere': (failed('Information given by you does not exist in our sytsem.',
                                   member='message'), 'EIO'),
    'status 404 with a page': (Reply(HTML, 404), 'EIO'),
    'status 404 with nothing': (Reply(b'', 404), 'EIO'),
    'status 404 with other JSON': (Reply(b'{"error": "not found"}', 404), 'EIO'),
    # Other status codes
    'status 400': (Reply(b'{}', 400), 'EINVAL'),
    'status 418': (Reply(b'', 418), 'EIO'),
    'status 429': (Reply(b'', 429), 'EBUSY'),
    'status 500': (Reply(HTML, 500), 'EIO'),
    'status 502': (Reply(HTML, 502), 'EIO'),
    'status 503': (Reply(b'', 503), 'EIO'),
    'status 504': (Reply(b'', 504), 'EIO'),
    # Not what the API documents
    'a page': (Reply(HTML, 200, {'Content-Type': 'text/html'}), 'EPROTO'),
    'nothing': (Reply(b''), 'EPROTO'),
    'no content': (Reply(b'', 204), 'EPROTO'),
    'blanks': (Reply(b' \n '), 'EPROTO'),
    'an array': (Reply(b'[]'), 'EPROTO'),
    'null': (Reply(b'null'), 'EPROTO'),
    'an empty object': (Reply(b'{}'), 'EPROTO'),
    'success without details': (Reply(b'{"status": "success"}'), 'EPROTO'),
    'success with text': (details(b'"x"'), 'EPROTO'),
    'success with null': (details(b'null'), 'EPROTO'),
    'success with a number': (details(b'1'), 'EPROTO'),
    'success with an array': (details(b'[{"id": 7}]'), 'EPROTO'),
    'details without status': (Reply(b'{"Customer Details": {"id": 7}}'), 'EPROTO'),
    'details without id': (details(b'{"name": "x"}'), 'EPROTO'),
    'another customer': (found(customer(8)), 'EPROTO'),
    'a customer of defaults': (found(customer(0)), 'EPROTO'),
    'a customer of zeros': (details(b'{"id": "000", "name": ""}'), 'EPROTO'),
    'an id that only begins the same': (found(customer(70)), 'EPROTO'),
    'cut JSON': (Reply(found(customer(7)).body[:-20]), 'EPROTO'),
    'bytes after the end': (Reply(found(customer(7)).body + b' x'), 'EPROTO'),
    'two documents': (Reply(found(customer(7)).body * 2), 'EPROTO'),
    'not UTF-8': (details(b'{"id": 7, "name": "\xff"}'), 'EPROTO'),
    'a control character': (details(b'{"id": 7, "name": "a\nb"}'), 'EPROTO'),
    'a number with a leading zero': (details(b'{"id": 7, "zone": 007}'), 'EPROTO'),
    'a comma too many': (details(b'{"id": 7,}'), 'EPROTO'),
    'nested too deep': (details(b'{"id": 7, "x": ' + b'[' * 100 + b']' * 100 + b'}'), 'EPROTO'),
    'nested absurdly deep': (details(b'{"id": 7, "x": ' + b'[' * 10 ** 6), 'EPROTO'),
    'shorter than it claims': (Reply(found(customer(7)).body, length=5000), 'EPROTO'),
    # Too large
    'nine MiB': (Reply(b' ' * (9 << 20)), 'EFBIG'),
    'nine MiB of a customer': (details(b'{"id": 7, "x": "' + b'x' * (9 << 20) + b'"}'), 'EFBIG'),
    'without end': (Reply(b' ' * 65536, endless=True), 'EFBIG'),
}


@pytest.mark.parametrize('case', CASES)
def test_reply_becomes_its_errno(mounts, api, case):
    reply, name = CASES[case]
    api.respond = lambda request: reply
    mount = mounts(api.url)
    assert errno.errorcode.get(harness.errno_of(os.stat, mount / 'by-id/7')) == name
    assert len(api.requests) == 1
    assert os.listdir(mount / 'by-id') == []


@pytest.mark.parametrize('case', ['status 500', 'a page', 'cut JSON', 'status 404 with a page',
                                  'nine MiB', 'status 429', 'status 400'])
def test_after_an_error_it_is_asked_again_soon_and_works(mounts, api, case):
    api.reply_in_turn(CASES[case][0], found(customer(7)))
    mount = mounts(api.url)
    assert harness.errno_of(os.stat, mount / 'by-id/7') != 0
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/7') == 0, 'it works')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == 2


@pytest.mark.parametrize('case', ['status 500', 'status 503', 'status 429'])
def test_failure_that_may_pass_is_tried_again(mounts, api, case):
    api.reply_in_turn(CASES[case][0], found(customer(7)))
    mount = mounts(api.url, retries='2')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == 2


@pytest.mark.parametrize('case', ['status 400', 'invalid key', 'status 403', 'absent', 'a page',
                                  'status 404 with a page', 'nine MiB'])
def test_failure_that_will_not_pass_is_not_tried_again(mounts, api, case):
    api.respond = lambda request: CASES[case][0]
    mount = mounts(api.url, retries='3')
    assert errno.errorcode[harness.errno_of(os.stat, mount / 'by-id/7')] == CASES[case][1]
    assert len(api.requests) == 1


FAILURES = [failed('Internal Server Error', 500), failed('Too many requests', 429),
            failed('Server is busy'), failed('Try again later', member='message'),
            Reply(ABSENT, 503), Reply(ABSENT, 429)]


@pytest.mark.parametrize('reply', FAILURES, ids=lambda reply: f'{reply.status} {reply.body[:32]}')
def test_failure_in_words_removes_the_customer_under_no_key(mounts, api, reply):
    api.add_numbers([7])
    mount = mounts(api.url, ttl='1')
    paths = ['by-id/7', 'by-phone/9800000007', 'by-email/c7@example.com']
    for path in paths:
        assert (mount / path / 'name').read_text() == 'Customer 7\n'
    api.respond = lambda request: reply
    assert harness.command('refresh', *(mount / path for path in paths)).returncode != 0
    for path in paths:
        assert (mount / path / 'name').read_text() == 'Customer 7\n'
        assert os.listdir(mount / path.split('/')[0]) == [path.split('/')[1]]


def test_sentence_of_the_tenants_own_is_an_absence_when_it_is_configured(mounts, api):
    api.respond = lambda request: failed('Sorry, no customer was found.')
    mount = mounts(api.url, '1')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
    mount = mounts(api.url, '2', absent_text='SORRY no customer was found')
    for _ in range(2):
        assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT
    assert len(api.requests) == 2
    # The documented one counts as before, others do not.
    api.respond = lambda request: Reply(ABSENT)
    assert harness.errno_of(os.stat, mount / 'by-id/8') == errno.ENOENT
    for phone, (reply, error) in enumerate((
            (failed('Sorry, no customer was found. Try later'), errno.EIO),
            (failed('Sorry, no customer was found.', 500), errno.EIO),
            (failed('Sorry, no customer was found.', 429), errno.EBUSY))):
        api.respond = lambda request, reply=reply: reply
        assert harness.errno_of(os.stat, mount / f'by-phone/{phone}') == error


def test_tries_end(mounts, api):
    api.respond = lambda request: Reply(b'', 503)
    mount = mounts(api.url, retries='1')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EIO
    assert len(api.requests) == 2


def test_refused_connection_is_ehostunreach(mounts, api):
    mount = mounts(api.url)
    api.close()
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EHOSTUNREACH
    api.open(api.port)
    api.add_numbers([7])
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/7') == 0, 'it works')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


def test_silent_api_is_etimedout(mounts, api):
    api.add_numbers([7])
    gate = api.hold(('id', '7'))
    mount = mounts(api.url, timeout='1')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ETIMEDOUT
    gate.set()
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/7') == 0, 'it works')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


def test_server_that_accepts_and_says_nothing_is_etimedout(mounts):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        mount = mounts(f'http://127.0.0.1:{listener.getsockname()[1]}', timeout='1')
        assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ETIMEDOUT


def test_limit_of_the_time_includes_the_tries(mounts, api):
    api.add_numbers([7])
    api.hold(('id', '7'))
    mount = mounts(api.url, timeout='1', retries='9')
    caller = harness.start('stat', mount / 'by-id/7')
    status, _, errors = harness.finish(caller, 10)
    assert status == 1 and b'timed out' in errors


def test_error_is_logged_once_with_its_cause(mounts, api):
    mount = mounts(api.url, secrets=['7351973'])
    before = len(mount.log.text().splitlines())
    api.respond = lambda request: Reply(HTML, 503)
    assert harness.errno_of(os.stat, mount / 'by-id/7351973') == errno.EIO
    mount.close()
    lines = [line for line in mount.log.text().splitlines()[before:] if '503' in line]
    assert len(lines) == 1
    assert 'id' in lines[0]


def test_absence_is_no_error_in_the_log(mounts, api):
    mount = mounts(api.url)
    before = mount.log.text()
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT
    assert mount.log.text() == before


def test_open_of_what_cannot_be_known_fails_too(mounts, api):
    api.respond = lambda request: Reply(b'', 500)
    mount = mounts(api.url)
    for path in ('by-id/7/name', 'by-id/7.json', 'by-id/7.meta', 'by-id/007', 'by-id/7/contacts/'):
        assert harness.errno_of(os.open, mount / path, os.O_RDONLY) == errno.EIO, path
        assert harness.errno_of(os.listdir, mount / path) == errno.EIO, path


CAUSES = {
    'a fault': (Reply(b'', 503), 3, 'EIO'),
    'a page': (Reply(b'<html>say "no" error=x</html>'), 3, 'EPROTO'),
    'another customer': (found(customer(8)), 3, 'EPROTO'),
    'too many': (Reply(b'', 429), 3, 'EBUSY'),
    'invalid': (Reply(b'{}', 400), 3, 'EINVAL'),
    'too large': (Reply(b' ' * (9 << 20)), 3, 'EFBIG'),
    'a bad token': (Reply(REFUSED), 4, 'EACCES'),
}


@pytest.mark.parametrize('case', CAUSES)
def test_refresh_tells_the_cause_that_the_errors_page_has(mounts, api, case):
    reply, status, name = CAUSES[case]
    mount = mounts(api.url)
    api.respond = lambda request: reply
    result = harness.command('refresh', mount / 'by-id/7')
    assert (result.returncode, result.stdout) == (status, '')
    cause = result.stderr.strip().split(f'{mount / "by-id/7"}: ')[1]
    # The page has the fix of a bad token in a line of its own.
    cause = cause.removesuffix('; put a valid one into the token file')
    page = (mount / '.kapturefs/errors').read_text().splitlines()
    assert any(f'kapture: lookup failed: {cause}, {name}' in line for line in page), (cause, page)
    if reply.status != 200:
        assert cause.endswith(f', HTTP {reply.status}')


def test_refresh_of_an_api_that_is_away_or_silent_says_so(mounts, api):
    mount = mounts(api.url, timeout='1')
    api.respond = lambda request: Reply(gate=api.gate())
    result = harness.command('refresh', mount / 'by-id/7')
    assert (result.returncode, 'in time' in result.stderr) == (3, True)
    api.close()
    result = harness.command('refresh', mount / 'by-id/7')
    assert (result.returncode, 'no connection' in result.stderr) == (3, True)


def test_sandbox_can_be_told_to_fail(mounts, sandbox):
    mount = mounts(sandbox.url)
    first, second = [row['id'] for row in sandbox.customers(2)]
    sandbox.behave(status=500, count=1)
    assert harness.errno_of(os.stat, mount / 'by-id' / first) == errno.EIO
    assert harness.errno_of(os.stat, mount / 'by-id' / second) == 0
