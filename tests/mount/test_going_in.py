# SPDX-License-Identifier: MIT
"""Going into a customer asks the API, whatever the kernel keeps; and nothing else does."""

import contextlib
import datetime
import errno
import os
import subprocess

import pytest

import api as api_module
import harness
from api import customer
from test_listing import Stream

TODAY = str(datetime.datetime.now(datetime.timezone.utc).date())
DAY = '2026-01-05'
KNOWN = {'account_id': str(api_module.ACCOUNT)}


class Shell:
    """A shell that is in the directory, and stays there."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            ['sh', '-c', 'cd "$0" && while read -r line; do ls; echo end; done', path], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)

    def names(self):
        self.process.stdin.write('\n')
        return [line.rstrip('\n') for line in iter(self.process.stdout.readline, 'end\n')]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Opened:
    """Somebody who has the directory open, and reads it from the start again."""

    def __init__(self, path):
        self.stream = Stream(path)

    def names(self):
        self.stream.rewind()
        return [os.fsdecode(name) for name in self.stream.rest() if name not in (b'.', b'..')]

    def close(self):
        self.stream.close()


class Descriptor:
    def __init__(self, path):
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def names(self):
        return os.listdir(self.descriptor)

    def close(self):
        os.close(self.descriptor)


class ByPath:
    def __init__(self, path):
        self.path = path

    def close(self):
        pass


class Scan(ByPath):
    def names(self):
        with os.scandir(self.path) as entries:
            return [entry.name for entry in entries]


class Ls(ByPath):
    def names(self):
        return harness.finish(harness.start('ls', self.path))[1].decode().split()


READERS = [Shell, Opened, Descriptor, Scan, Ls]


def day_of(mount):
    return sorted(os.listdir(mount / 'by-date' / DAY), key=int)


def asked(api):
    keys = [request.key for request in list(api.requests)]
    api.requests.clear()
    return keys


@pytest.mark.parametrize('key', [0, 1, 2], ids=['by-id', 'by-phone', 'by-email'])
def test_listing_of_an_expired_customer_asks_once_and_shows_who_came(mounts, api, key):
    """For each reader a customer of its own."""
    numbers = range(7, 7 + len(READERS))
    api.add_numbers(numbers)
    paths = [harness.keys_of(number)[key] for number in numbers]
    mount = mounts(api.url, ttl='1')
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(contextlib.closing(reader(mount / path)))
                   for reader, path in zip(READERS, paths)]
        assert not any('extra' in reader.names() for reader in readers)
        for extra in ({'extra': '1'}, {'extra': '1', 'more': '2'}):
            api.add_numbers(numbers, **extra)
            for path in paths:
                harness.wait_until_stale(mount, path)
            for reader in readers:
                api.requests.clear()
                names = reader.names()
                assert set(extra) <= set(names), (reader, names)
                assert len(asked(api)) == 1, reader
                assert set(reader.names()) == set(names), reader
                assert asked(api) == [], reader


def test_listing_below_an_expired_customer_asks_once_and_shows_who_came(mounts, api):
    contacts = [{'id': number, 'contactPerson': 'Asha'} for number in (1, 2, 3)]
    numbers = range(7, 7 + len(READERS))

    def have(count):
        for number in numbers:
            api.add(customer(number, contacts=contacts[:count]), ('id', str(number)))
    have(1)
    mount = mounts(api.url, ttl='1')
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(contextlib.closing(
            reader(mount / f'by-id/{number}/contacts')))
            for reader, number in zip(READERS, numbers)]
        assert {len(reader.names()) for reader in readers} == {1}
        for count in (2, 3):
            have(count)
            for number in numbers:
                harness.wait_until_stale(mount, f'by-id/{number}')
            for reader, number in zip(readers, numbers):
                api.requests.clear()
                assert len(reader.names()) == count, reader
                assert asked(api) == [('id', str(number))], reader


@pytest.mark.parametrize('reader', READERS)
def test_listing_of_an_expired_day_asks_once_and_shows_who_came(mounts, api, reader):
    api.days[TODAY] = [7]
    mount = mounts(api.url, ttl='0', **KNOWN)
    with contextlib.closing(reader(mount / 'by-date' / TODAY)) as opened:
        assert opened.names() == ['7']
        for more in ([7, 8], [7, 8, 9]):
            api.days[TODAY] = more
            api.requests.clear()
            assert sorted(opened.names(), key=int) == [str(number) for number in more]
            assert asked(api) == [('date', TODAY)]


def test_looking_at_an_expired_day_asks_nothing(mounts, api):
    api.days[TODAY] = [7]
    mount = mounts(api.url, ttl='0', **KNOWN)
    os.listdir(mount / 'by-date' / TODAY)
    api.requests.clear()
    for arguments in (['ls', '-l', 'by-date'], ['stat', f'by-date/{TODAY}'],
                      ['ls', '--color=always', 'by-date'], ['ls', '-d', f'by-date/{TODAY}/']):
        assert subprocess.run(arguments, cwd=mount.path, check=True, capture_output=True).stdout
    assert asked(api) == []


def test_a_look_from_outside_between_two_listings_asks_nothing(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url, ttl='1')
    directory = os.open(mount / 'by-id/7', os.O_RDONLY)
    os.listdir(directory)
    harness.wait_until_stale(mount, 'by-id/7')
    api.requests.clear()
    for _ in range(3):
        os.fstat(directory)
        os.stat(mount / 'by-id/7')
        os.stat('.', dir_fd=directory)
    assert asked(api) == []
    os.listdir(directory)
    assert asked(api) == [('id', '7')]
    os.close(directory)


def test_many_who_list_an_expired_customer_ask_once(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url, ttl='1', patience='20')
    os.listdir(mount / 'by-id/7')
    api.add_numbers([7], extra='1')
    harness.wait_until_stale(mount, 'by-id/7')
    api.requests.clear()
    gate = api.hold(('id', '7'))
    listings = [harness.start('ls', mount / 'by-id/7') for _ in range(16)]
    api.wait_for(1)
    os.stat(mount / 'by-id/7')
    gate.set()
    results = [harness.finish(listing) for listing in listings]
    assert {(status, errors) for status, _, errors in results} == {(0, b'')}
    # One of them waits for the question; who comes meanwhile is shown what was known.
    old = b'cmId\ncontacts\nid\nmaxCreditAmt\nname\n'
    new = old.replace(b'contacts\n', b'contacts\nextra\n')
    assert {output for _, output, _ in results} - {old} == {new}
    assert asked(api) == [('id', '7')]
    assert harness.finish(harness.start('ls', mount / 'by-id/7'))[1] == new


# Gone


def test_listing_that_finds_its_customer_gone_is_estale_and_then_enoent(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url, ttl='0')
    for number in (7, 8):
        os.listdir(mount / f'by-id/{number}')
    api.customers.clear()
    listing = subprocess.run(['ls', mount / 'by-id/7'], capture_output=True, check=False)
    assert (listing.returncode, listing.stdout) == (2, b'')
    assert b'Stale file handle' in listing.stderr
    assert harness.errno_of(os.listdir, mount / 'by-id/7') == errno.ENOENT
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT
    assert os.listdir(mount / 'by-id') == ['8']
    api.requests.clear()
    os.stat(mount / 'by-id/8')
    assert asked(api) == []


@pytest.mark.parametrize('name', ['name', 'contacts', 'contacts/500007', 'nothing', '../7.json'])
def test_name_in_a_customer_who_is_gone_is_enoent_at_once(mounts, api, name):
    api.add_numbers([7])
    mount = mounts(api.url, ttl='0')
    os.listdir(mount / 'by-id/7/contacts')
    api.customers.clear()
    assert os.path.isdir(mount / 'by-id/7')
    api.requests.clear()
    assert harness.errno_of(os.stat, mount / 'by-id/7' / name) == errno.ENOENT
    assert asked(api) == [('id', '7')]
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT
    assert os.listdir(mount / 'by-id') == []
    assert asked(api) == []


def test_customer_past_max_stale_is_listed_and_only_what_is_below_fails(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url, ttl='0', max_stale='0')
    os.listdir(mount / 'by-id/7')
    api.respond = lambda request: api_module.Reply(b'', 503)
    assert os.listdir(mount / 'by-id') == ['7']
    assert os.path.isdir(mount / 'by-id/7')
    assert 'state=stale\n' in (mount / 'by-id/7.meta').read_text()
    for call, name in ((os.stat, 'name'), (os.stat, 'contacts'), (os.listdir, '')):
        assert harness.errno_of(call, mount / 'by-id/7' / name) == errno.EIO, name
    api.respond = api.honest
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/7/name') == 0, 'an answer')


def test_refused_token_shows_who_was_known_and_nothing_below(mounts, api):
    api.add_numbers([7, 8])
    mount = mounts(api.url, ttl='0')
    for number in (7, 8):
        (mount / f'by-id/{number}/name').read_text()
        os.listdir(mount / f'by-id/{number}')
    api.token = 'another'
    assert harness.errno_of(os.listdir, mount / 'by-id/8') == errno.EACCES
    assert sorted(os.listdir(mount / 'by-id')) == ['7', '8']
    api.requests.clear()
    for number in (7, 8):
        assert os.path.isdir(mount / f'by-id/{number}')
        assert 'state=stale\n' in (mount / f'by-id/{number}.meta').read_text()
        assert harness.errno_of(os.stat, mount / f'by-id/{number}/name') == errno.EACCES
        assert harness.errno_of(os.stat, mount / f'by-id/{number}.json') == errno.EACCES
    assert asked(api) == []


def test_listing_is_answered_with_what_is_known_when_the_api_fails(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url, ttl='0', patience='1')
    names = os.listdir(mount / 'by-id/7')
    api.respond = lambda request: api_module.Reply(b'', 503)
    assert os.listdir(mount / 'by-id/7') == names
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'

# Those whom a day's list names, and nobody has asked for


@pytest.mark.parametrize('arguments', [
    ['ls', '--color=always', '{}'], ['ls', '-L', '{}'], ['ls', '-lL', '{}'], ['ls', '-lF', '{}'],
    ['find', '-L', '{}', '-maxdepth', '1', '-type', 'd'], ['sh', '-c', 'stat -L "$0"/*', '{}'],
    ['sh', '-c', 'for name in "$0"/*; do test -d "$name" && cd "$name" || exit; done', '{}']],
    ids=lambda arguments: ' '.join(arguments))
def test_looking_at_where_links_lead_asks_for_the_day_alone(mounts, api, arguments):
    api.days[DAY] = list(range(1000, 1060))
    mount = mounts(api.url, **KNOWN)
    for _ in range(2):
        done = subprocess.run(
            [argument.replace('{}', str(mount / 'by-date' / DAY)) for argument in arguments],
            capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b'')
    assert asked(api) == [('date', DAY)]
    assert os.listdir(mount / 'by-id') == []


def test_who_is_on_a_days_list_is_there_unasked_and_is_asked_for_when_gone_into(mounts, api):
    api.add_numbers([7, 8])
    api.days[DAY] = [7, 8]
    mount = mounts(api.url, **KNOWN)
    day_of(mount)
    before = os.stat(mount / 'by-id/7')
    assert os.path.stat.S_ISDIR(before.st_mode)
    midnight = datetime.datetime.fromisoformat(f'{DAY}T00:00:00+00:00').timestamp()
    assert before.st_mtime == midnight
    assert os.readlink(mount / 'by-id/007') == '7'
    directory = os.open(mount / 'by-date' / DAY / '7', os.O_RDONLY)
    assert len(api.requests) == 1
    assert 'name' in os.listdir(directory)
    assert [request.key for request in api.requests[1:]] == [('id', '7')]
    assert (mount / 'by-date' / DAY / '7/name').read_text() == 'Customer 7\n'
    assert os.listdir(mount / 'by-id') == ['7']
    assert os.stat(mount / 'by-id/7').st_ino == os.fstat(directory).st_ino == before.st_ino
    os.close(directory)
    assert (mount / 'by-id/8/contacts/primary/contactPerson').read_text() == 'Asha\n'
    assert len(api.requests) == 3


def test_who_was_not_there_before_is_there_when_a_day_lists_him(mounts, api):
    mount = mounts(api.url, **KNOWN)
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT
    api.add_numbers([7])
    api.days[DAY] = [7]
    assert os.listdir(mount / 'by-date' / DAY) == ['7']
    assert os.path.isdir(mount / 'by-id/7')
    assert (mount / 'by-date' / DAY / '7/name').read_text() == 'Customer 7\n'
    assert asked(api) == [('id', '7'), ('date', DAY), ('id', '7')]


@pytest.mark.parametrize('call, name, error', [
    (os.stat, '7/name', errno.ENOENT), (os.listdir, '7', errno.ESTALE)])
def test_who_turns_out_to_be_gone_leaves_the_day(mounts, api, call, name, error):
    api.add_numbers([8])
    api.days[DAY] = [7, 8]
    mount = mounts(api.url, **KNOWN)
    day_of(mount)
    inode = os.lstat(mount / 'by-date' / DAY / '8').st_ino
    assert os.path.isdir(mount / 'by-id/7')
    assert harness.errno_of(call, mount / 'by-id' / name) == error
    assert len(api.requests) == 2
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENOENT
    assert day_of(mount) == ['8']
    harness.wait_until(lambda: harness.errno_of(os.lstat, mount / 'by-date' / DAY / '7')
                       == errno.ENOENT, 'the link goes')
    assert os.lstat(mount / 'by-date' / DAY / '8').st_ino == inode
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    assert len(api.requests) == 3


def test_who_is_on_a_days_list_is_there_without_a_connection_and_nothing_below(mounts, api):
    api.days[DAY] = [7]
    mount = mounts(api.url, **KNOWN)
    day_of(mount)
    mount.close()
    again = mounts(api.url, offline=True, **KNOWN)
    assert os.path.isdir(again / 'by-id/7')
    assert harness.errno_of(os.stat, again / 'by-id/8') == errno.ENETDOWN
    assert harness.errno_of(os.stat, again / 'by-id/7/name') == errno.ENETDOWN
    assert harness.errno_of(os.listdir, again / 'by-id/7') == errno.ENETDOWN


def test_order_reaches_who_is_only_on_a_days_list(mounts, api):
    api.add_numbers([7, 8])
    api.days[DAY] = [7, 8]
    mount = mounts(api.url, **KNOWN)
    day_of(mount)
    assert os.path.isdir(mount / 'by-id/7')
    assert harness.command('refresh', mount / 'by-id/7').returncode == 0
    assert os.listdir(mount / 'by-id') == ['7']
    assert harness.command('forget', mount / 'by-id/7').returncode == 0
    assert os.listdir(mount / 'by-id') == []
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
