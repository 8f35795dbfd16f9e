# SPDX-License-Identifier: MIT
"""How a mount is: .kapturefs/, and `kapturefs status`, whatever state the mount is in."""

import json
import os
import pathlib
import pty
import re
import signal
import subprocess

import pytest

import api as api_module
import harness

FILES = {'README', 'status', 'status.json', 'errors', 'metrics', 'version'}


def words(mount):
    """{label: [line, ...]} of the status."""
    page = {}
    for line in (mount / '.kapturefs/status').read_text().splitlines():
        if line[:12].strip():
            label = line[:12].strip()
            page[label] = []
        page[label].append(line[12:])
    return page


def facts(mount):
    return json.loads((mount / '.kapturefs/status.json').read_text())


def everything(mount):
    return ''.join((mount / '.kapturefs' / name).read_text() for name in sorted(FILES))


def test_directory_has_the_files_of_the_manual(mounts, api):
    mount = mounts(api.url)
    assert set(os.listdir(mount / '.kapturefs')) == FILES
    assert api.requests == []


def test_readme_tells_a_stranger_in_twenty_lines(mounts, api):
    lines = (mounts(api.url) / '.kapturefs/README').read_text().splitlines()
    assert len(lines) == 20
    assert max(map(len, lines)) <= 80
    for name in [*FILES - {'README'}, 'by-id/', 'by-phone/', 'by-email/', 'umount']:
        assert any(name in line for line in lines), name


def test_fresh_mount_is_well_and_has_done_nothing(mounts, api):
    mount = mounts(api.url)
    page = words(mount)
    assert page['health'] == ['good']
    # By what mounting asks.
    assert page['token'] == ['accepted']
    assert page['breaker'] == ['closed: the API is asked']
    assert page['waiting'] == ['0 look-ups']
    assert page['errors'] == ['none']
    assert page['source'] == [api.url]
    assert page['mounted'][0].startswith(f'on {mount.path} since ')
    assert str(mount.process.pid) in page['daemon'][0]


def test_words_and_json_tell_the_same(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url, rate='10', burst='30')
    for number in (7, 8, 9, 7):
        harness.errno_of(os.stat, mount / 'by-id' / str(number))
    page, told = words(mount), facts(mount)
    assert page['requests'] == ['4 to the API: 2 found, 2 absent, 0 failed']
    assert told['api_requests'] == {'all': 4, 'found': 2, 'absent': 2, 'failed': 0}
    assert page['token'] == [told['token']] == ['accepted']
    assert page['health'] == [told['health']] == ['good']
    assert told['budget']['burst'] == 30 and told['budget']['rate'] == 10
    assert page['budget'][0].split(' of ')[1].startswith('30 requests at once, 10 a second')
    assert told['pid'] == mount.process.pid
    assert told['cache']['path'] == mount.options['cache']
    assert told['cache']['bytes'] > 0 and told['cache']['on_disk'] is True
    assert told['lookups']['misses'] == 3
    assert f'of 1.0 GiB in {mount.options["cache"]}' in page['cache'][0]
    assert all(feature['found'] in (True, False) for feature in told['kernel']['features'])


def test_refused_token_is_bad_health_with_the_mend(mounts, api):
    mount = mounts(api.url)
    api.respond = lambda request: api_module.Reply(api_module.REFUSED)
    assert harness.errno_of(os.stat, mount / 'by-id/7') == 13
    page = words(mount)
    assert page['health'][0] == 'bad'
    assert str(mount.options['token_file']) in page['health'][1]
    assert page['token'] == ['refused']
    assert facts(mount)['token'] == 'refused'
    result = harness.command('status', mount.path)
    assert result.returncode == 1
    assert result.stdout.splitlines()[3] == 'health      bad'
    assert harness.command('status', '--json', mount.path).returncode == 1


def test_dead_api_is_bad_health_with_its_cause(mounts, api):
    mount = mounts(api.url)
    api.close()
    for number in range(5):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number + 1)) == 113
    page = words(mount)
    assert page['health'][0] == 'bad'
    cause = re.search(r'\((.*)\)', page['health'][1])[1]
    assert 'connect' in cause.lower()
    assert page['breaker'][0].startswith('open')
    assert any(cause in line and 'EHOSTUNREACH' in line for line in page['errors'])


def test_failures_make_health_limited_and_then_bad(mounts, api):
    """Before the breaker opens, and although one customer that fails counts once."""
    api.add_numbers([1, 2])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/1')

    def ask(number):
        harness.errno_of(os.stat, mount / 'by-id' / str(number))
    api.respond = lambda request: api_module.Reply(b'<html>', 200)
    for number in (11, 11, 11, 12):
        ask(number)
    reason, = words(mount)['health'][1:]
    assert words(mount)['health'][0] == 'limited'
    assert reason.startswith('2 of 3 requests failed in the last minutes (')
    assert facts(mount)['reasons'] == [reason]
    api.respond = api.honest
    for number in (2, 3, 4):
        ask(number)
    assert words(mount)['health'] == ['good']


def test_four_failures_of_four_are_bad_health(mounts, api):
    mount = mounts(api.url)
    api.respond = lambda request: api_module.Reply(b'{}', 400)
    for number in range(1, 5):
        harness.errno_of(os.stat, mount / 'by-id' / str(number))
    page = words(mount)['health']
    assert page == ['bad', '4 of 4 requests failed in the last minutes '
                    '(the API calls the request invalid)']
    assert harness.command('status', mount.path).returncode == 1


def test_old_answers_make_health_limited(mounts, api):
    api.add_numbers(range(1, 5))
    mount = mounts(api.url, ttl='0', patience='0')
    for number in range(1, 5):
        (mount / f'by-id/{number}.meta').read_text()
    api.respond = lambda request: api_module.Reply(gate=api.gate())
    for _ in range(4):
        for number in range(1, 5):
            (mount / f'by-id/{number}/name').read_text()
    page = words(mount)['health']
    assert page[0] == 'limited'
    assert any('were answered with what is past its ttl' in line for line in page[1:]), page


def test_answers_of_another_account_are_bad_health(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/7')
    mount.close()
    mount = mounts(api.url, cache=mount.options['cache'])
    api.add_numbers([8, 9], cmId=77)
    for number in (8, 9):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == 71
    page = words(mount)['health']
    assert page[0] == 'bad' and 'another account (cmId)' in page[1]
    result = harness.command('refresh', mount / 'by-id/8')
    assert (result.returncode, "another account's" in result.stderr) == (3, True)


def test_offline_mount_is_limited_and_no_failure(mounts, api):
    mount = mounts(api.url, offline=True)
    assert words(mount)['health'] == ['limited', 'offline: only what is cached is served']
    assert harness.command('status', mount.path).returncode == 0


def test_same_error_is_told_once_with_its_count(mounts, api):
    mount = mounts(api.url)
    api.respond = lambda request: api_module.Reply(b'{}', 400)
    for number in range(1, 21):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == 22
    lines = (mount / '.kapturefs/errors').read_text().splitlines()
    assert len(lines) == 1
    assert 'kapture: lookup failed: ' in lines[0]
    assert ', HTTP 400, EINVAL (20 times since ' in lines[0]
    assert facts(mount)['errors'][0]['count'] == 20


def test_errors_tell_the_status_of_http_and_whole_sentences(mounts, api, tmp_path):
    """What is filled in may look like the parts of a line; nothing of it is lost."""
    mount = mounts(api.url)
    replies = iter([api_module.Reply(b'', 503), api_module.Reply(b'', 502)])
    api.respond = lambda request: next(replies)
    for number in (7, 8):
        assert harness.errno_of(os.stat, mount / 'by-id' / str(number)) == 5
    token = pathlib.Path(mount.options['token_file'])
    token.write_text('one\ntwo\n')
    mount.process.send_signal(signal.SIGHUP)
    told = mount.log.wait_for('the old one is kept')
    sentence = told.split('error: ')[1]
    assert f'token_file={token}: ' in sentence
    lines = (mount / '.kapturefs/errors').read_text().splitlines()
    assert lines[0].endswith(f'  {sentence}')
    assert [re.search(r'HTTP (\d+), EIO$', line)[1] for line in lines[1:]] == ['502', '503']
    assert sentence in words(mount)['errors'][0]
    page = facts(mount)['errors']
    assert [error['status'] for error in page] == [0, 502, 503]
    assert f'{page[0]["module"]}: {page[0]["event"]}' == sentence


def test_flood_in_the_log_is_ten_lines_and_a_sum(mounts, api):
    mount = mounts(api.url, rate='1000', burst='1000')
    api.respond = lambda request: api_module.Reply(b'{}', 400)
    for number in range(1, 201):
        harness.errno_of(os.stat, mount / 'by-id' / str(number))
    mount.close()
    lines = mount.log.text().splitlines()
    told = [line for line in lines if 'kapture: lookup failed' in line]
    sums = [int(re.search(r'count=(\d+)', line)[1]) for line in lines if 'lines suppressed' in line]
    assert 10 <= len(told) < 200
    assert len([line for line in told if 'suppressed' not in line]) + sum(sums) == 200


def test_waiting_lookups_are_told_without_the_key(mounts, api):
    api.add_numbers([7])
    gate = api.hold(('phone', '9800000007'))
    mount = mounts(api.url)
    waiting = harness.start('cat', mount / 'by-phone/9800000007/name')
    api.wait_for(1)
    page, told = words(mount), facts(mount)
    assert page['waiting'][0] == '1 look-up'
    assert re.fullmatch(r'\d+ (ms|s)\s+lookup\s+by-phone\s+[0-9a-f]{16}', page['waiting'][1]) or \
        re.fullmatch(r'\d\.\d s\s+lookup\s+by-phone\s+[0-9a-f]{16}', page['waiting'][1])
    longest = told['waiting']['longest'][0]
    assert (longest['operation'], longest['key']) == ('lookup', 'phone')
    assert longest['customer'] in page['waiting'][1]
    assert told['callers'][0]['requests_in_minute'] == 1
    gate.set()
    assert harness.finish(waiting)[0] == 0
    assert words(mount)['waiting'] == ['0 look-ups']


def test_no_file_and_no_line_has_a_key_or_the_token(mounts, api):
    number = 987654321
    api.add_numbers([number])
    mount = mounts(api.url, secrets=[str(number)], arguments=['-d'])
    os.stat(mount / 'by-id' / str(number))
    api.respond = lambda request: api_module.Reply(b'no JSON')
    gone = 987654322
    harness.errno_of(os.stat, mount / 'by-id' / str(gone))
    harness.errno_of(os.stat, mount / 'by-email/secret@example.com')
    text = everything(mount) + mount.log.text()
    assert 'lookup failed' in text
    for secret in (str(number), str(gone), 'secret@example.com', harness.TOKEN):
        assert secret not in text


def test_debug_log_has_a_line_for_each_request_and_each_look_up_that_waits(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url, arguments=['-d'])
    os.stat(mount / 'by-phone/9800000007')
    harness.errno_of(os.stat, mount / 'by-id/4')
    os.stat(mount / 'by-id/7')
    api.respond = lambda request: api_module.Reply(b'{}', 503)
    harness.errno_of(os.stat, mount / 'by-email/c8@example.com')
    api.close()
    mount.close()
    lines = mount.log.text().splitlines()

    def pairs(text):
        return [dict(re.findall(r'(\w+)=(\S+)', line)) for line in lines if text in line]
    # The first is what mounting asks, for which nobody waits.
    (asked, *requests), waits = pairs('kapture: request '), pairs(' waited ')
    assert asked['key'] == 'id'
    assert [(row['key'], row['status'], row['error'], row['connection']) for row in requests] == [
        ('phone', '200', 'none', 'new'), ('id', '200', 'none', 'reused'),
        ('email', '503', 'EIO', 'reused')]
    assert [int(row['bytes']) for row in requests] == [
        len(api_module.found(api.customers['id', '7']).body), len(api_module.ABSENT), 2]
    assert all(float(row['ms']) > 0 for row in requests)
    assert [(row['key'], row['error'], row['customer']) for row in waits] == [
        (row['key'], row['error'], row['customer']) for row in requests]


def test_hash_of_a_key_is_another_after_a_remount(mounts, api):
    def hash_of(mount):
        harness.errno_of(os.stat, mount / 'by-id/7')
        line = mount.log.wait_for('lookup failed')
        return re.search(r'customer=([0-9a-f]{16})', line)[1]

    api.respond = lambda request: api_module.Reply(b'no JSON')
    assert hash_of(mounts(api.url, 'a')) != hash_of(mounts(api.url, 'b'))


# The command


def test_status_prints_what_the_file_holds(mounts, api):
    mount = mounts(api.url)
    result = harness.command('status', mount.path)
    page = (mount / '.kapturefs/status').read_text()
    assert result.returncode == 0
    assert [line[:12] for line in result.stdout.splitlines()] == \
        [line[:12] for line in page.splitlines()]
    told = json.loads(harness.command('status', '--json', mount.path).stdout)
    assert told.keys() == facts(mount).keys()


def terminal_output(arguments, **environment):
    """What a command writes to a terminal, and its exit status."""
    main, replica = pty.openpty()
    process = subprocess.Popen([harness.BINARY, *map(str, arguments)], stdin=replica,
                               stdout=replica, stderr=replica,
                               env={**os.environ, 'TERM': 'xterm', **environment})
    os.close(replica)
    return harness.terminal_text(main), process.wait()


def test_colours_are_for_terminals_alone(mounts, api):
    mount = mounts(api.url)
    coloured, status = terminal_output(['status', mount.path], NO_COLOR='')
    assert status == 0 and '\033[32mgood' in coloured
    assert '\033' not in terminal_output(['status', mount.path], NO_COLOR='1')[0]
    assert '\033' not in terminal_output(['status', mount.path], TERM='dumb', NO_COLOR='')[0]
    assert '\033' not in harness.command('status', mount.path).stdout


def test_name_of_a_program_reaches_no_terminal_raw(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    asker = subprocess.Popen(
        ['/usr/bin/python3', '-c', 'import ctypes, os, sys\n'
         'ctypes.CDLL(None).prctl(15, b"\\x1b[31m\\xc2\\x9b1m\\x07x")\n'
         f'os.listdir({str(mount / "by-id/7")!r})\nprint("asked", flush=True)\n'
         'sys.stdin.read()'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert asker.stdout.readline() == b'asked\n'
        for page in ((mount / '.kapturefs/status').read_bytes(),
                     (mount / '.kapturefs/status.json').read_bytes(),
                     harness.command('status', mount.path).stdout.encode()):
            assert b'?[31m?1m?x, session' in page, page
            assert not set(page) & (set(range(32)) - {10} | {0x7f, 0x9b}), page
    finally:
        asker.communicate()


@pytest.mark.skipif(os.getuid() != 0, reason='puts a page in place of another, as only root can')
def test_page_of_a_mount_reaches_no_terminal_raw(mounts, api, tmp_path):
    mount = mounts(api.url)
    forged = tmp_path / 'forged'
    forged.mkdir()
    (forged / 'status').write_bytes(b'health      \x1b]0;x\x07 \xc2\x9b2J \x7f\xff\r\xe2\x80\xae\n')
    result = subprocess.run(
        ['unshare', '--mount', 'sh', '-ec', 'mount --bind "$1" "$2/.kapturefs"\n'
         'exec "$0" status "$2"', harness.BINARY, forged, mount.path],
        capture_output=True, timeout=30, check=False)
    if b'unshare' in result.stderr:
        pytest.skip('no name space for mounts can be had here')
    assert (result.stdout, result.stderr) == (b'health      ?]0;x? ?2J ????\n', b'')


def test_status_of_what_is_no_mount_fails(tmp_path):
    result = harness.command('status', tmp_path)
    assert (result.returncode, result.stdout) == (5, '')
    assert result.stderr == f'kapturefs: {tmp_path}: no kapturefs is mounted there\n'
    result = harness.command('status', tmp_path / 'nothing')
    assert result.returncode == 5 and 'No such file' in result.stderr


@pytest.mark.skipif(os.getuid() != 0, reason='needs a mount namespace, which only root can make')
def test_status_without_a_mountpoint_tells_of_all_mounts(api, tmp_path):
    options = f'token_file={harness.write_token(tmp_path)},cache=:memory:'
    for name in ('a', 'b c'):
        (tmp_path / name).mkdir()
    script = r"""
        try() { "$@" 2>&1; echo "status $?"; }
        try "$K" status; "$K" status --json 2>/dev/null
        "$K" -o "$O" "$U" "$D/a" && mount --bind "$D/a" "$D/a" && "$K" status | grep -c ^mounted
        "$K" -o "$O,offline" "$U" "$D/b c"
        try "$K" status -- | grep -E '^(mounted|health|status)'
        "$K" status --json
        kill -9 "$("$K" status --json "$D/a" | sed -n 's/.*"pid": //p' | tr -d ,)"
        while cat "$D/a/.kapturefs/version" >/dev/null 2>&1; do :; done
        try "$K" status | grep -E '^(mounted|health|status)|died'
        umount "$D/a" "$D/a" "$D/b c"
        """
    result = subprocess.run(
        [harness.APART, 'sh', '-c', script], capture_output=True, text=True, timeout=60,
        check=False, cwd='/', env={**os.environ, 'K': harness.BINARY, 'O': options, 'U': api.url,
                                   'D': str(tmp_path)})
    assert result.stderr == ''
    head, tail = result.stdout.split('[{')
    array, tail = tail.rsplit(']\n', 1)
    healths = [(os.path.basename(mount['mountpoint']), mount['health'])
               for mount in json.loads('[{' + array + ']')]
    assert healths == [('a', 'good'), ('b c', 'limited')]
    lines = [re.sub(' since .*', '', line) for line in head.splitlines()]
    assert lines == ['kapturefs: status: no kapturefs is mounted', 'status 5', '[]', '1',
                     f'mounted     on {tmp_path}/a', 'health      good',
                     f'mounted     on {tmp_path}/b c', 'health      limited', 'status 0']
    lines = [re.sub(' since .*| died.*', '', line) for line in tail.splitlines()]
    assert lines == [f'kapturefs: {tmp_path}/a: a mount whose daemon',
                     f'mounted     on {tmp_path}/b c', 'health      limited', 'status 5']


@pytest.mark.parametrize('arguments', [('a', 'b'), ('--nonsense', 'a')])
def test_status_without_a_sensible_command_line_is_usage(arguments):
    result = harness.command('status', *arguments)
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr


def test_status_of_a_dead_mount_says_how_to_end_it(mounts, api):
    mount = mounts(api.url)
    mount.expected_status = -signal.SIGKILL
    mount.process.kill()
    mount.process.wait()
    result = harness.command('status', mount.path)
    assert result.returncode == 5
    assert 'a mount whose daemon died; run kapturefs umount' in result.stderr
    harness.unmount_whatever_it_takes(mount.path)


def test_status_of_a_daemon_that_hangs_ends_all_the_same(mounts, api):
    mount = mounts(api.url)
    mount.process.send_signal(signal.SIGSTOP)
    try:
        result = harness.command('status', mount.path)
    finally:
        mount.process.send_signal(signal.SIGCONT)
    assert result.returncode == 5
    assert 'the daemon does not answer' in result.stderr


# The log and those who read it


def test_log_that_nobody_reads_delays_nobody(tmp_path, api):
    """A daemon whose standard error is a full pipe serves, and counts what it could not say."""
    api.respond = lambda request: api_module.Reply(b'no JSON')
    read_end, write_end = os.pipe()
    try:
        os.set_blocking(write_end, False)
        try:
            while True:
                os.write(write_end, b'x' * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(write_end, True)
        path = tmp_path / 'mnt'
        path.mkdir()
        options = harness.join_options({'token_file': harness.write_token(tmp_path),
                                        'cache': ':memory:', 'retries': '0'})
        process = subprocess.Popen([harness.BINARY, '-d', '-o', options, api.url, str(path)],
                                   stdin=subprocess.DEVNULL, stderr=write_end)
        try:
            harness.wait_until(lambda: harness.mount_entry(path), 'mounted')
            for number in range(1, 30):
                assert harness.errno_of(os.stat, path / 'by-id' / str(number)) == 71
            told = json.loads((path / '.kapturefs/status.json').read_text())
            assert told['log']['lost'] > 20
            subprocess.run(['fusermount3', '-u', str(path)], check=True)
            assert process.wait(harness.END_SECONDS) == 0
        finally:
            process.kill()
            harness.unmount_whatever_it_takes(path)
    finally:
        os.close(read_end)
        os.close(write_end)


def test_closed_standard_descriptors_do_not_become_the_cache(tmp_path, api):
    api.add_numbers([7])
    (tmp_path / 'mnt').mkdir()
    cache = tmp_path / 'cache.db'
    options = harness.join_options({'token_file': harness.write_token(tmp_path), 'cache': cache})
    process = subprocess.Popen(
        ['sh', '-c', 'exec "$0" "$@" <&- >&- 2>&-', harness.BINARY, '-d', '-o', options, api.url,
         str(tmp_path / 'mnt')])
    try:
        harness.wait_until(lambda: harness.mount_entry(tmp_path / 'mnt'), 'mounted')
        os.stat(tmp_path / 'mnt/by-id/7')
        assert b'lookup' not in cache.read_bytes()[:100]
        open_files = pathlib.Path(f'/proc/{process.pid}/fd')
        assert [os.readlink(open_files / str(number)) for number in range(3)] == ['/dev/null'] * 3
        subprocess.run(['fusermount3', '-u', str(tmp_path / 'mnt')], check=True)
        assert process.wait(harness.END_SECONDS) == 0
    finally:
        process.kill()
        harness.unmount_whatever_it_takes(tmp_path / 'mnt')
