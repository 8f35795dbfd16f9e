# SPDX-License-Identifier: MIT
"""`warm` has a mount ask for many keys: once each, in its own time, and again only if need be."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest

import harness
from api import Reply, found
from harness import command
from metrics import Metrics

MANY = int(os.environ.get('WARM_KEYS', '10000'))

def keys_file(tmp_path, lines):
    path = tmp_path / 'keys'
    path.write_text(''.join(f'{line}\n' for line in lines))
    return path


def warm(mount, path, *arguments):
    """The report of a run, as JSON."""
    result = command('warm', '--json', *arguments, mount.path, path, timeout=300)
    report = json.loads(result.stdout)
    assert report['found'] + report['absent'] + report['failed'] + report['left'] == report['keys']
    assert (result.returncode == 0) == (
        report['failed'] == report['absent'] == report['left'] == 0)
    return report


def asked(api):
    return sorted(request.key for request in api.requests)


def test_every_key_is_asked_for_once_and_then_known(mounts, api, tmp_path):
    api.add_numbers(range(1, 21))
    mount = mounts(api.url)
    path = keys_file(tmp_path, [
        '# the first twenty', '', *(f'id:{number}' for number in range(1, 19)), 'id:1', '001',
        '9800000019', '  phone:+98-0000 0020\t', 'C20@Example.com', '77'])
    report = warm(mount, path)
    assert report == {'keys': 22, 'found': 21, 'absent': 1, 'failed': 0, 'left': 0,
                      'failed_keys': []}
    assert asked(api) == sorted([
        *(('id', str(number)) for number in range(1, 19)), ('phone', '9800000019'),
        ('phone', '9800000020'), ('email', 'c20@example.com'), ('id', '77')])
    for number in range(1, 21):
        assert (mount / 'by-id' / str(number) / 'name').read_text() == f'Customer {number}\n'
    assert warm(mount, path) == report
    assert len(api.requests) == 22


def test_counts_are_told_in_words_and_failed_keys_on_standard_error(mounts, api, tmp_path):
    api.add_numbers([1, 2])
    api.respond = lambda request: Reply(status=500) if request.key == ('id', '2') \
        else api.honest(request)
    mount = mounts(api.url)
    path = keys_file(tmp_path, ['1', '2', '3', 'no key', 'a b@c.d'])
    result = command('warm', mount.path, path)
    assert (result.returncode, result.stdout) == (3, '1 found, 1 absent, 3 failed\n')
    told = [line for line in result.stderr.splitlines() if not re.search(r' \d+/5, ', line)]
    assert told == ['kapturefs: warm: id:2: the API reports a fault of its own, HTTP 500',
                    'kapturefs: warm: line 4: no key: nobody can have that key',
                    'kapturefs: warm: line 5: a b@c.d: nobody can have that key']
    assert warm(mount, path)['failed_keys'] == ['id:2', 'no key', 'a b@c.d']


LISTS = {
    'CR': b'1\r2\r3\r', 'CR LF': b'1\r\n2\r\n3', 'mixed': b'1\r\n2\r3\n',
    'mark': b'\xef\xbb\xbf1\r\n2\r\n3\r\n', 'marks': b'\xef\xbb\xbf1\n\xef\xbb\xbf2\n3\n',
    'blanks': b' 1\t\n\xc2\xa02 \n3 \n', 'quotes': b'"1"\n\'2\'\n="3"\n',
    'empty columns': b'1,\n2,,\n"3";\n', 'apostrophe': b"'1\n'2\n'3\n"}


@pytest.mark.parametrize('text', LISTS.values(), ids=LISTS)
def test_lists_are_read_as_other_systems_leave_them(mounts, api, tmp_path, text):
    api.add_numbers([1, 2, 3])
    mount = mounts(api.url)
    (tmp_path / 'keys').write_bytes(text)
    result = command('warm', mount.path, tmp_path / 'keys')
    assert (result.returncode, result.stdout) == (0, '3 found, 0 absent, 0 failed\n')
    assert asked(api) == [('id', '1'), ('id', '2'), ('id', '3')]


def test_lines_that_are_no_key_are_named_with_the_cause(mounts, api, tmp_path):
    mount = mounts(api.url)
    lines = [b'phone', b'', b'Asha,9380491326', b'a@b.c;x', b'9380491326.0', b'a"b', b'\xff@x']
    (tmp_path / 'keys').write_bytes(b'\r'.join(lines))
    result = command('warm', mount.path, tmp_path / 'keys')
    assert (result.returncode, result.stdout) == (1, '0 found, 0 absent, 6 failed\n')
    told = [line.split('kapturefs: warm: ')[1] for line in result.stderr.splitlines()
            if ': line ' in line]
    assert told == [
        'line 1: phone: nobody can have that key',
        'line 3: Asha,9380491326: more than a key; give a list of one column',
        'line 4: a@b.c;x: more than a key; give a list of one column',
        'line 5: 9380491326.0: a number as spreadsheets write it; '
        'have its column formatted as text',
        'line 6: a"b: a quotation mark; give the key alone', 'line 7: ?@x: not UTF-8']
    assert api.requests == []


@pytest.mark.parametrize('text', ['1\n2\n'.encode('utf-16'), '1\n2\n'.encode('utf-16-be'),
                                  '12'.encode('utf-16-le'), '\u0967'.encode('utf-16')])
def test_a_list_that_is_no_text_is_named_and_nothing_is_asked(mounts, api, tmp_path, text):
    mount = mounts(api.url)
    (tmp_path / 'keys').write_bytes(text)
    result = command('warm', mount.path, tmp_path / 'keys')
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr == (f'kapturefs: warm: {tmp_path}/keys: UTF-16; save it as UTF-8\n')
    assert api.requests == []


def test_keys_may_come_from_standard_input(mounts, api):
    api.add_numbers([1, 2])
    mount = mounts(api.url)
    for arguments in ([], ['-']):
        result = subprocess.run([harness.BINARY, 'warm', mount.path, *arguments], input='1\n2',
                                capture_output=True, text=True, timeout=30, check=False)
        assert (result.returncode, result.stdout) == (0, '2 found, 0 absent, 0 failed\n')
    assert len(api.requests) == 2


def test_no_keys_are_no_mistake(mounts, api, tmp_path):
    assert warm(mounts(api.url), keys_file(tmp_path, ['# none']))['keys'] == 0


def test_expired_answers_are_known_until_the_age_that_is_given(mounts, api, tmp_path):
    api.add_numbers([1, 2])
    mount = mounts(api.url, ttl='0', negative_ttl='0')
    path = keys_file(tmp_path, ['1', '2', '3'])
    warm(mount, path)
    warm(mount, path)
    assert len(api.requests) == 3
    assert warm(mount, path, '--max-age', '0')['found'] == 2
    assert len(api.requests) == 6


def test_many_keys_are_resumed_without_asking_twice(mounts, sandboxes, tmp_path):
    sandbox = sandboxes(customers=MANY)
    rows = [row for start in range(0, MANY, 1000) for row in sandbox.customers(1000, start)]
    path = keys_file(tmp_path, [f"id:{row['id']}" for row in rows])
    mount = mounts(sandbox.url)
    first = subprocess.Popen([harness.BINARY, 'warm', mount.path, path], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    harness.wait_until(lambda: sandbox.requests() > 1000, 'it is under way',
                       seconds=120)
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate(timeout=harness.END_SECONDS)
    # A shell sees that it was interrupted, and the user how far it came.
    assert first.returncode == -signal.SIGINT
    found, left = map(int, re.fullmatch(r'(\d+) found, 0 absent, 0 failed, (\d+) left\n',
                                        output).groups())
    assert found + left == MANY and found >= 900 and left > 0
    assert warm(mount, path)['found'] == MANY
    assert sandbox.requests() == MANY


def test_what_is_to_be_ignored_does_not_end_it(mounts, api, tmp_path):
    api.add_numbers([7, 8])
    gate = api.hold(('id', '7'))
    mount = mounts(api.url)
    path = keys_file(tmp_path, [7, 8])
    process = subprocess.Popen(['nohup', harness.BINARY, 'warm', mount.path, path],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    api.wait_for(2)
    process.send_signal(signal.SIGHUP)
    gate.set()
    assert process.communicate(timeout=harness.END_SECONDS)[0].startswith('2 found')
    assert process.returncode == 0


def test_mount_keeps_to_its_rate(mounts, api, tmp_path):
    api.add_numbers(range(1, 31))
    mount = mounts(api.url, rate='40/s', burst='1')
    start = time.monotonic()
    assert warm(mount, keys_file(tmp_path, range(1, 31)))['found'] == 30
    assert time.monotonic() - start >= 29 / 40


def test_who_looks_something_up_meanwhile_goes_first(mounts, api, tmp_path):
    api.add_numbers(range(1, 41))
    api.add_numbers([900])
    mount = mounts(api.url, rate='5/s', burst='1')
    process = harness.start(harness.BINARY, 'warm', '--jobs', '16', mount.path,
                            keys_file(tmp_path, range(1, 41)))
    try:
        api.wait_for(2)
        os.stat(mount / 'by-id/900')
        place = [request.key for request in api.requests].index(('id', '900'))
        # The one whose turn it was when the look-up came, and the next.
        assert place <= 4
    finally:
        process.kill()
        harness.finish(process)


def test_so_many_keys_are_asked_for_at_a_time(mounts, api, tmp_path):
    api.add_numbers(range(1, 21))
    gate = api.hold(*(('id', str(number)) for number in range(1, 21)))
    mount = mounts(api.url, max_connections='5')
    process = harness.start(harness.BINARY, 'warm', mount.path,
                            keys_file(tmp_path, range(1, 21)))
    api.wait_for(5)
    threads = [open(f'/proc/{process.pid}/task/{task}/comm').read()
               for task in os.listdir(f'/proc/{process.pid}/task')]
    assert len(threads) == 1 + 5 + harness.SANITIZER_THREADS
    gate.set()
    assert harness.finish(process)[0] == 0


def slow(api, seconds):
    """Every answer takes so long."""
    def respond(request):
        time.sleep(seconds)
        return api.honest(request)
    api.respond = respond


def test_many_jobs_do_not_run_out_of_time_in_the_queue_that_they_fill(mounts, api, tmp_path):
    api.add_numbers(range(1, 61))
    api.add_numbers([900])
    slow(api, 0.2)
    mount = mounts(api.url, timeout='2', max_connections='2', rate='100/s')
    process = harness.start(harness.BINARY, 'warm', '--json', '--jobs', '64', mount.path,
                            keys_file(tmp_path, range(1, 61)))
    api.wait_for(5)
    # Who looks something up meanwhile is not harmed.
    assert (mount / 'by-id/900/name').read_text() == 'Customer 900\n'
    status, output, _ = harness.finish(process)
    assert (status, json.loads(output)['found']) == (0, 60)
    assert Metrics(mount)('api_breaker_state') == 0


def test_what_runs_out_of_time_is_asked_for_again_with_fewer_at_a_time(mounts, api, tmp_path):
    """The rate is lower than the mount says: others use it up, or the API wants it so."""
    api.add_numbers(range(1, 7))
    slow(api, 1.5)
    mount = mounts(api.url, timeout='3', max_connections='1', rate='100/s')
    process = harness.start(harness.BINARY, 'warm', '--json', '--jobs', '2', mount.path,
                            keys_file(tmp_path, range(1, 7)))
    status, output, _ = harness.finish(process)
    assert (status, json.loads(output)['found']) == (0, 6)


def test_access_denied_to_one_key_does_not_stop_the_others(mounts, api, tmp_path):
    api.add_numbers(range(1, 21))
    api.respond = lambda request: (Reply(b'<html>', 403)
                                   if request.key == ('id', '7') else api.honest(request))
    mount = mounts(api.url, max_connections='1')
    report = warm(mount, keys_file(tmp_path, range(1, 21)))
    assert (report['found'], report['failed_keys'], report['left']) == (19, ['id:7'], 0)


def test_refused_token_stops_it(mounts, api, tmp_path):
    api.add_numbers(range(1, 101))
    mount = mounts(api.url, max_connections='1')
    api.token = 'another'
    result = command('warm', mount.path, keys_file(tmp_path, range(1, 101)))
    assert result.returncode == 4
    assert re.fullmatch(r'0 found, 0 absent, 1 failed, 99 left\n', result.stdout)
    assert 'stopped: the API refuses the token' in result.stderr
    assert len(api.requests) == 1


def test_cause_of_each_failure_is_told(mounts, api, tmp_path):
    replies = {'1': Reply(b'<html>', 500), '2': found(b'{"id": 8}'), '3': Reply(b'', 302),
               '4': Reply(b'<html>', 403), '5': Reply(b'', 429)}
    api.respond = lambda request: replies[request.key[1]]
    mount = mounts(api.url)
    result = command('warm', '--jobs', '1', mount.path, keys_file(tmp_path, range(1, 6)))
    told = [line for line in result.stderr.splitlines() if not re.search(r' \d+/5, ', line)]
    assert told == [f'kapturefs: warm: id:{number}: {cause}' for number, cause in (
        (1, 'the API reports a fault of its own, HTTP 500'),
        (2, "the answer is another customer's, HTTP 200"),
        (3, 'the API redirects, which is never followed, HTTP 302'),
        (4, 'the API denies access, HTTP 403'),
        (5, 'the API asks for fewer requests, HTTP 429'))]


def test_end_of_the_mount_stops_it(mounts, api, tmp_path):
    api.add_numbers(range(1, 21))
    api.hold(*(('id', str(number)) for number in range(1, 21)))
    mount = mounts(api.url)
    process = harness.start(harness.BINARY, 'warm', mount.path,
                            keys_file(tmp_path, range(1, 21)))
    api.wait_for(8)
    mount.process.terminate()
    assert mount.wait() == 0
    status, output, errors = harness.finish(process)
    assert status == 5
    assert b'8 failed, 12 left' in output
    assert b'stopped' in errors


# The dry run

def test_dry_run_tells_what_it_takes_and_asks_nothing(mounts, api, tmp_path):
    api.add_numbers(range(1, 101))
    mount = mounts(api.url, rate='2/s', burst='3')
    os.stat(mount / 'by-id/1')
    assert harness.errno_of(os.stat, mount / 'by-id/101') != 0
    path = keys_file(tmp_path, [*range(1, 102), 'no key', '1'])
    result = command('warm', '--dry-run', mount.path, path)
    assert result.returncode == 0
    assert re.fullmatch(r'102 keys, 2 known, 1 no key: 99 requests at 2 a second take \d\d s\n',
                        result.stdout)
    report = json.loads(command('warm', '--dry-run', '--json', mount.path, path).stdout)
    seconds = report.pop('seconds')
    assert report == {'keys': 102, 'known': 2, 'to_ask': 99, 'failed': 1}
    # The budget has paid for two, and for what mounting asked.
    assert (99 - 3) / 2 <= seconds <= 100 / 2
    assert len(api.requests) == 2


# How far it is

def terminal(mount, path, columns=80, environment=None):
    """What a run writes to a terminal, and its status."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    process = subprocess.Popen([harness.BINARY, 'warm', mount.path, path], stdin=child,
                               stdout=child, stderr=child,
                               env={**os.environ, **(environment or {})})
    os.close(child)
    text = harness.terminal_text(parent)
    assert process.wait(harness.END_SECONDS) == 0
    return text


BAR = re.compile(r'\r\[(#*)(\.*)\] +(\d+)%  (\d+)/30, (\d+\.\d)/s(?:, ([^\x1b]+) left)?\x1b\[K')


@pytest.mark.parametrize('columns', [80, 200, 50])
def test_terminal_shows_a_bar_with_rate_and_time_left(mounts, api, tmp_path, columns):
    api.add_numbers(range(1, 31))
    mount = mounts(api.url, rate='30/s', burst='1')
    text = terminal(mount, keys_file(tmp_path, range(1, 31)), columns)
    bars = [match.groups() for match in BAR.finditer(text)]
    done = [int(bar[3]) for bar in bars]
    assert done == sorted(done) and done[-1] == 30 and len(set(done)) > 3
    for full, empty, percent, count, *_ in bars:
        assert len(full) == int(count) * len(full + empty) // 30
        assert int(percent) == int(count) * 100 // 30
    assert all(len(match[0].strip('\r').removesuffix('\x1b[K')) < columns
               for match in BAR.finditer(text))
    assert any(left and re.fullmatch(r'\d+ (s|min)', left) for *_, left in bars)
    # The bar is gone at the end, and the counts are there.
    assert text.endswith('\r\x1b[K30 found, 0 absent, 0 failed\r\n')
    assert BAR.sub('', text) == '\r\x1b[K30 found, 0 absent, 0 failed\r\n'


def test_without_a_terminal_there_is_a_line_at_every_tenth(mounts, api, tmp_path):
    api.add_numbers(range(1, 31))
    mount = mounts(api.url, rate='30/s', burst='1')
    result = command('warm', mount.path, keys_file(tmp_path, range(1, 31)))
    lines = result.stderr.splitlines()
    assert all(re.fullmatch(r'kapturefs: warm: \d+/30, \d+\.\d/s(, .+ left)?', line)
               for line in lines)
    assert 3 <= len(lines) <= 10
    assert '\x1b' not in result.stderr and '\r' not in result.stderr


# Mistakes

def test_mistakes_are_one_line_and_status_2(mounts, api, tmp_path):
    mount = mounts(api.url)
    for arguments, words in (
            ([], 'give MOUNTPOINT'), ([mount.path, 'a', 'b'], 'give MOUNTPOINT'),
            ([mount / 'by-id'], 'give its MOUNTPOINT'),
            ([mount.path, tmp_path / 'none'], 'No such file'),
            (['--jobs', '0', mount.path], 'out of range'),
            (['--jobs', '257', mount.path], 'out of range'),
            (['--max-age', '-1', mount.path], 'out of range'),
            (['--max-age'], 'a value is missing'), (['--quick', mount.path], 'unknown option')):
        result = command('warm', *arguments)
        assert (result.returncode, result.stdout) == (2, ''), arguments
        line, = result.stderr.splitlines()
        assert words in line
    for place, words in ((tmp_path, 'not a mount of kapturefs'), (tmp_path / 'none', 'No such')):
        result = command('warm', place)
        assert (result.returncode, result.stdout) == (5, '')
        assert words in result.stderr
    assert api.requests == []
