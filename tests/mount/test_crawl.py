# SPDX-License-Identifier: MIT
"""Programs that walk everything cost the API nothing, and those who look something up little."""

import errno
import os
import subprocess
import sys

import pytest

import harness
from metrics import Metrics

# What file managers, desktops, shells, indexers, editors and version control ask for.
PROBED = [
    '.git', '.hg', '.svn', '.bzr', 'CVS', '.jj', '.gitignore', '.gitattributes', 'HEAD', 'objects',
    '.Trash', '.Trash-1000', '.Trash-0', '.directory', '.hidden', '.DS_Store', '._.DS_Store',
    '.metadata_never_index', '.metadata_never_index_unless_rootfs', '.Spotlight-V100',
    'autorun.inf',
    'desktop.ini', 'Thumbs.db', 'folder.jpg', '.xdg-volume-info', '.autorun', 'autorun.sh',
    '.localized', '.plan', '.project', '.envrc', '.editorconfig', '.python-version', '.nvmrc',
    '.tool-versions', 'package.json', 'Makefile', 'Cargo.toml', 'node_modules', '.dir_colors',
    '.bash_history', '.htaccess', 'index.html', 'README.md', '.fslckout', '_darcs', '.osc', '.pc',
    '.cache', '.config', '.vscode', '.idea', '.terraform', 'venv', 'lost+found', '.snapshot',
    '.zfs', '.AppleDouble', '.fuse_hidden0000000100000001', '.nfs000000000001',
    'kapturefs.tmp', 'a.swp', '.#name', 'name~', '*', '?', '-', '--help', '...', ' ', '@', '@@']
MARKERS = ['.nomedia', '.trackerignore']


def run(*arguments, directory=None):
    return subprocess.run([str(argument) for argument in arguments], cwd=directory,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
                          env={**os.environ, 'GIT_DISCOVERY_ACROSS_FILESYSTEM': '1'})


@pytest.mark.parametrize('arguments', [
    ['find', '{}/..', '-xdev'], ['find', '{}'], ['find', '{}', '-type', 'f', '-newer', '/'],
    ['ls', '-laR', '{}'],
    ['ls', '-l', '{}/by-id', '{}/by-phone', '{}/by-email', '{}/.kapturefs'], ['du', '-a', '{}'],
    ['grep', '-r', 'x', '{}/by-id', '{}/by-phone', '{}/by-email'],
    ['tar', '-cf', '/dev/null', '{}'],
    ['git', '-C', '{}', 'status'], ['git', '-C', '{}/by-id', 'rev-parse'],
    ['git', '-C', '{}/by-email', 'ls-files'], ['stat', '-f', '{}'], ['df', '{}'],
    ['sh', '-c', 'cd "$0" && for name in * .* */*; do test -e "$name"; done', '{}']],
    ids=lambda arguments: ' '.join(arguments))
def test_walk_over_a_fresh_mount_asks_nothing(mounts, api, arguments):
    mount = mounts(api.url)
    run(*[argument.replace('{}', str(mount.path)) for argument in arguments])
    assert api.requests == []


def test_walk_as_an_indexer_does_it_asks_nothing(mounts, api):
    """As updatedb and the like: open each directory, list it, look at every entry, go down."""
    mount = mounts(api.url)
    seen = []

    def walk(descriptor, path):
        for name in os.listdir(descriptor):
            seen.append(f'{path}/{name}')
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if os.path.stat.S_ISDIR(status.st_mode):
                child = os.open(name, os.O_RDONLY | os.O_NOATIME, dir_fd=descriptor)
                walk(child, f'{path}/{name}')
                os.close(child)
    descriptor = os.open(mount.path, os.O_RDONLY | os.O_DIRECTORY)
    walk(descriptor, '')
    os.close(descriptor)
    assert {'/by-id', '/by-phone', '/by-email', '/.kapturefs/status'} <= set(seen)
    assert api.requests == []


@pytest.mark.parametrize('directory', ['', 'by-id', 'by-phone', 'by-email', '.kapturefs'])
def test_names_that_programs_probe_for_are_absent_at_once(mounts, api, directory):
    mount = mounts(api.url)
    for name in PROBED:
        error = harness.errno_of(os.stat, mount / directory / name)
        assert error == errno.ENOENT, f'{directory}/{name}'
    assert api.requests == []


def test_probing_inside_a_customer_asks_nothing_more(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/7')
    for name in PROBED:
        assert harness.errno_of(os.stat, mount / 'by-id/7' / name) == errno.ENOENT
        assert harness.errno_of(os.stat, mount / 'by-id/7/contacts' / name) == errno.ENOENT
    run('git', '-C', mount / 'by-id/7', 'status')
    assert len(api.requests) == 1


def test_markers_stand_in_the_root_and_nowhere_else(mounts, api):
    mount = mounts(api.url)
    assert set(MARKERS) <= set(os.listdir(mount.path))
    for name in MARKERS:
        assert (mount / name).read_bytes() == b''
        for directory in ('by-id', 'by-phone', 'by-email', '.kapturefs'):
            assert name not in os.listdir(mount / directory)
    assert api.requests == []


def test_backup_that_leaves_caches_out_leaves_the_mount_out(mounts, api):
    mount = mounts(api.url)
    assert 'CACHEDIR.TAG' not in os.listdir(mount.path)
    whole = run('tar', '-C', mount.path, '-cf', '-', '.').stdout
    assert b'by-id' in whole
    without = run('tar', '-C', mount.path, '--exclude-caches-all', '-cf', '-', '.').stdout
    assert b'by-id' not in without


# Shares


CRAWLER = '''
import os, sys, threading
def look(number):
    try:
        os.stat(f'{sys.argv[1]}/by-id/{number}')
    except OSError:
        pass
threads = [threading.Thread(target=look, args=(number,)) for number in range(1000, 1060)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
'''


def start_in_session(*arguments):
    return subprocess.Popen([str(argument) for argument in arguments], start_new_session=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def asked_numbers(api):
    return [request.key[1] for request in list(api.requests)]


def test_crawler_does_not_use_up_the_budget_of_others(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url, rate='20', burst='8')
    crawler = start_in_session(sys.executable, '-c', CRAWLER, mount.path)
    api.wait_for(9)     # its burst is gone, and what it asks now has waited
    before = len(api.requests)
    other = start_in_session('cat', mount / 'by-id/7/name')
    assert harness.finish(other)[:2] == (0, b'Customer 7\n')
    place = asked_numbers(api).index('7')
    assert before < 40, 'the crawler was too fast for the test'
    assert place - before <= 3
    callers = (mount / '.kapturefs/status').read_text()
    assert f'session {crawler.pid}' in callers
    assert harness.finish(crawler, 60)[0] == 0


def test_burst_is_not_all_one_callers(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url, rate='0.2', burst='16', timeout='30')
    crawler = start_in_session(sys.executable, '-c', CRAWLER, mount.path)
    try:
        api.wait_for(12)
        other = start_in_session('cat', mount / 'by-id/7/name')
        assert harness.finish(other)[:2] == (0, b'Customer 7\n')
        assert asked_numbers(api).index('7') == 12
    finally:
        crawler.kill()
        harness.finish(crawler)


# Customers that have expired


COUNT = 60


@pytest.fixture
def expired(mounts, api):
    """A mount with customers that were looked up by every kind of key, and have expired since."""
    api.add_numbers(range(1, COUNT + 1))
    mount = mounts(api.url, ttl='1', max_connections='32')
    for number in range(1, COUNT + 1):
        for key in harness.keys_of(number):
            os.stat(mount / key)
    for key in harness.keys_of(COUNT):
        harness.wait_until_stale(mount, key)
    api.requests.clear()
    return mount


@pytest.mark.parametrize('arguments', [
    ['ls', '--color=always', '{}'], ['ls', '-l', '{}'], ['ls', '-laF', '{}'],
    ['find', '{}', '-maxdepth', '1', '-newer', '/'], ['find', '{}', '-maxdepth', '1', '-type', 'f'],
    ['rsync', '-dn', '{}/', '/nowhere/'], ['tree', '-L', '1', '{}'],
    ['sh', '-c', 'stat "$0"/*', '{}'], ['sh', '-c', 'stat -c %Y "$0"/*/', '{}'],
    ['sh', '-c', 'for name in "$0"/*; do test -d "$name" && test -x "$name" || exit; done', '{}'],
    ['sh', '-c', 'for name in "$0"/*; do cd "$name" || exit; done', '{}'],
    [sys.executable, '-c', 'import os, sys; assert all(entry.is_dir() and entry.stat() '
                           'for entry in os.scandir(sys.argv[1]))', '{}']],
    ids=lambda arguments: ' '.join(arguments) if isinstance(arguments, list) else arguments)
def test_looking_at_expired_customers_from_outside_asks_nothing(expired, api, arguments):
    for directory in ('by-id', 'by-phone', 'by-email', 'by-id'):
        path = str(expired / directory)
        done = run(*[argument.replace('{}', path) for argument in arguments])
        assert done.returncode == 0, done.stderr
        assert len(os.listdir(path)) == COUNT
    assert api.requests == []


@pytest.mark.parametrize('arguments', [
    ['find', '{}'], ['du', '-a', '{}'], ['grep', '-r', 'no such text', '{}'], ['ls', '-R', '{}'],
    ['tar', '-C', '{}', '-cf', '-', '.']], ids=lambda arguments: arguments[0])
def test_going_into_expired_customers_asks_for_each_once(expired, api, arguments):
    done = run(*[argument.replace('{}', str(expired / 'by-id')) for argument in arguments])
    assert done.stderr == b''
    assert sorted(asked_numbers(api), key=int) == [str(number) for number in range(1, COUNT + 1)]


def test_what_a_key_and_its_state_are_asks_nothing_and_what_it_holds_does(expired, api):
    for key in harness.keys_of(7):
        before = (expired / f'{key}.meta').read_text()
        assert 'state=stale\n' in before
        os.lstat(expired / key)
    os.lstat(expired / 'by-id/007.json')
    os.lstat(expired / 'by-email/C7@example.com')
    os.stat(expired / 'by-email/C7@example.com')
    assert api.requests == []
    assert b'Customer 7' in (expired / 'by-id/7.json').read_bytes()
    assert asked_numbers(api) == ['7']
    assert 'state=fresh\n' in (expired / 'by-id/7.meta').read_text()


def test_looking_from_outside_counts_as_no_stale_answer(expired):
    before = Metrics(expired)('stale_answers_total')
    run('ls', '-l', expired / 'by-id')
    assert Metrics(expired)('stale_answers_total') == before
