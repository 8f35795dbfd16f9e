# SPDX-License-Identifier: MIT
"""`refresh` shows what is new as soon as it is back; `forget` leaves nothing behind."""

import ctypes
import errno
import fcntl
import mmap
import os
import subprocess
import tempfile
import threading

import pytest

import harness
import users
from api import Reply, customer
from harness import command
from metrics import Metrics
from orders import KEYS, PLACES, done, read_all, refused, serve

@pytest.fixture
def mount(mounts, api):
    serve(api, 'Asha')
    return mounts(api.url)


# What is shown

@pytest.mark.parametrize('below', ['', '/name', '/contacts/500007/phone', '.json', '.meta', '/../7',
                                   '/no/such/field'])
def test_value_is_new_under_every_key_when_refresh_is_back(mount, api, below):
    assert read_all(mount) == [('Asha\n', True)] * 3
    serve(api, 'Bela-Catarina')
    asked = len(api.requests)
    done(command('refresh', f'{mount / "by-id/7"}{below}'))
    assert read_all(mount) == [('Bela-Catarina\n', False)] * 3
    assert len(api.requests) == asked + 1


def test_refresh_by_any_spelling_asks_by_that_key(mount, api):
    read_all(mount)
    del api.requests[:]
    done(command('refresh', mount / 'by-phone/+98 0000 0007', mount / 'by-email/C7@Example.com',
                 mount / 'by-id/007'))
    assert [request.key for request in api.requests] == [KEYS[1], KEYS[2], KEYS[0]]


def test_fields_that_come_and_go_do_so_when_refresh_is_back(mount, api):
    serve(api, 'Asha', city='Pune', tags={'a': '1'})
    directory = mount / 'by-id/7'
    assert (directory / 'city').read_text() == 'Pune\n'
    assert (directory / 'tags/a').read_text() == '1\n'
    assert harness.errno_of(os.stat, directory / 'zone') == errno.ENOENT
    assert harness.errno_of(os.stat, directory / 'tags/b') == errno.ENOENT
    before = sorted(os.listdir(directory))
    serve(api, 'Asha', zone='West', tags={'b': '2'})
    done(command('refresh', directory))
    assert (directory / 'zone').read_text() == 'West\n'
    assert (directory / 'tags/b').read_text() == '2\n'
    assert harness.errno_of(os.stat, directory / 'city') == errno.ENOENT
    assert harness.errno_of(os.stat, directory / 'tags/a') == errno.ENOENT
    assert sorted(os.listdir(directory)) == sorted({*before, 'zone'} - {'city'})


def test_primary_contact_leads_elsewhere_when_refresh_is_back(mount, api):
    def contacts(primary):
        return [{'id': number, 'phone': str(number), 'isPrimaryContact': number == primary}
                for number in (500007, 500008)]
    serve(api, 'Asha', contacts=contacts(500007))
    link = mount / 'by-id/7/contacts/primary'
    assert (os.readlink(link), (link / 'phone').read_text()) == ('500007', '500007\n')
    serve(api, 'Asha', contacts=contacts(500008))
    done(command('refresh', link))
    assert (os.readlink(link), (link / 'phone').read_text()) == ('500008', '500008\n')


def test_meta_tells_the_time_of_the_new_answer(mount):
    def meta(place):
        return dict(line.split('=') for line in (mount / f'{place}.meta').read_text().splitlines())
    before = meta('by-id/7')
    done(command('refresh', mount / 'by-id/7'))
    after = meta('by-id/7')
    assert after.pop('fetched') > before.pop('fetched')
    assert after.pop('expires') > before.pop('expires')
    assert after == before


def test_what_did_not_change_keeps_its_times(mount, api):
    names = ['', 'name', 'id', 'contacts']
    before = [os.stat(mount / 'by-id/7' / name).st_mtime_ns for name in names]
    done(command('refresh', mount / 'by-id/7'))
    assert [os.stat(mount / 'by-id/7' / name).st_mtime_ns for name in names] == before
    serve(api, 'Bela')
    done(command('refresh', mount / 'by-id/7'))
    after = [os.stat(mount / 'by-id/7' / name).st_mtime_ns for name in names]
    assert [new == old for new, old in zip(after, before)] == [False, False, True, True]


def test_directory_in_which_somebody_stands_stays_his(mount, api):
    directory = os.open(mount / 'by-id/7/contacts/500007', os.O_RDONLY)
    try:
        serve(api, 'Bela')
        shell = subprocess.Popen(['sh', '-c', 'echo here; read x; pwd -P; cat phone'],
                                 cwd=mount / 'by-id/7/contacts/500007', stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        assert shell.stdout.readline() == 'here\n'
        done(command('refresh', mount / 'by-id/7'))
        output, _ = shell.communicate('\n', timeout=harness.END_SECONDS)
        assert output == f'{mount / "by-id/7/contacts/500007"}\n9800000007\n'
        fresh = os.listdir(mount / 'by-id/7/contacts/500007')
        assert sorted(os.listdir(directory)) == sorted(fresh)
    finally:
        os.close(directory)


def test_reader_of_the_old_value_reads_all_of_it(mount, api):
    serve(api, 'A' * 9000)
    with open(mount / 'by-id/7/name', 'rb') as file:
        assert os.fstat(file.fileno()).st_size == 9001
        serve(api, 'B' * 7000)
        done(command('refresh', mount / 'by-id/7'))
        assert file.read() in (b'A' * 9000 + b'\n', b'B' * 7000 + b'\n')
    assert (mount / 'by-id/7/name').read_text() == 'B' * 7000 + '\n'


# What is asked

def test_refresh_of_a_customer_that_is_not_cached_asks_once(mount, api):
    done(command('refresh', mount / 'by-id/7'))
    assert (mount / 'by-id/7/name').read_text() == 'Asha\n'
    assert len(api.requests) == 1


def test_refresh_finds_a_customer_that_was_absent(mount, api):
    assert harness.errno_of(os.stat, mount / 'by-id/8') == errno.ENOENT
    api.add_numbers([8])
    done(command('refresh', mount / 'by-id/8'))
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'


def test_refresh_of_a_customer_that_is_gone_says_so_and_he_is(mount, api):
    read_all(mount)
    api.customers.clear()
    refused(command('refresh', mount / 'by-id/7/name'), 1, 'no such customer')
    assert harness.errno_of(os.stat, mount / 'by-id/7/name') == errno.ENOENT
    assert os.listdir(mount / 'by-id') == []


def test_key_that_leads_to_another_customer_does_so_when_refresh_is_back(mount, api):
    assert (mount / 'by-phone/9800000007/name').read_text() == 'Asha\n'
    api.add(customer(8), KEYS[1], ('id', '8'))
    done(command('refresh', mount / 'by-phone/9800000007'))
    assert (mount / 'by-phone/9800000007/name').read_text() == 'Customer 8\n'
    assert (mount / 'by-id/7/name').read_text() == 'Asha\n'


def test_an_answer_that_was_under_way_before_is_not_taken_for_a_new_one(mount, api):
    gate = api.hold(KEYS[0])
    waiting = harness.start('cat', mount / 'by-id/7/name')
    api.wait_for(1)
    late, api.respond = api.respond, api.honest
    old = api.customers[KEYS[0]]
    serve(api, 'Bela')
    done(command('refresh', mount / 'by-id/7'))
    assert len(api.requests) == 2
    # The first request is answered now, with what was so when it was asked.
    api.customers[KEYS[0]] = old
    assert late
    gate.set()
    assert harness.finish(waiting)[1] in (b'Bela\n', b'Asha\n')
    assert (mount / 'by-id/7/name').read_text() == 'Bela\n'


def test_refresh_that_fails_says_why_and_the_old_answer_counts_as_expired(mounts, api):
    serve(api, 'Asha')
    mount = mounts(api.url, timeout='5')
    assert (mount / 'by-id/7/name').read_text() == 'Asha\n'
    api.respond = lambda request: Reply(status=500)
    refused(command('refresh', mount / 'by-id/7'), 3, 'the API reports a fault of its own')
    assert (mount / 'by-id/7/name').read_text() == 'Asha\n'
    api.respond = api.honest
    asked = len(api.requests)
    # Nobody has looked at it before, so the kernel has to ask. It is left alone first.
    assert b'Asha' in (mount / 'by-id/7.json').read_bytes()
    assert len(api.requests) == asked
    harness.wait_until(lambda: (mount / 'by-id/7.json').read_bytes() and
                       len(api.requests) > asked, 'it is asked again')
    assert len(api.requests) == asked + 1
    assert 'state=fresh' in (mount / 'by-id/7.meta').read_text()


@pytest.mark.parametrize('is_mounted_anew', [False, True])
def test_refresh_that_fails_leaves_no_absence_to_be_believed(mounts, api, is_mounted_anew):
    mount = mounts(api.url, timeout='5', negative_ttl='300')
    assert harness.errno_of(os.stat, mount / 'by-id/8') == errno.ENOENT
    api.respond = lambda request: Reply(status=500)
    refused(command('refresh', mount / 'by-id/8'), 3, 'the API reports a fault of its own')
    api.add_numbers([8])
    api.respond = api.honest
    if is_mounted_anew:
        mount.close()
        mount = mounts(api.url, timeout='5', negative_ttl='300')
    # It is left alone first.
    harness.wait_until(lambda: harness.errno_of(os.stat, mount / 'by-id/8/name') == 0,
                       'it is asked again', 5)
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'


def test_order_of_another_version_is_refused_in_words(mount):
    """The daemon knows orders by their number, which has the size of the order in it."""
    directory = os.open(mount.path, os.O_RDONLY)
    try:
        with pytest.raises(OSError) as refusal:
            fcntl.ioctl(directory, 0x4208d501, bytes(520))
        assert refusal.value.errno == errno.ENOTTY
    finally:
        os.close(directory)


def test_refresh_without_patience_for_the_old_answer(mounts, api):
    """A look-up would be served the old answer after the patience; a refresh waits for the new."""
    serve(api, 'Asha')
    mount = mounts(api.url, patience='0')
    assert (mount / 'by-id/7/name').read_text() == 'Asha\n'
    serve(api, 'Bela')
    gate = api.hold(KEYS[0])
    refresh = harness.start(harness.BINARY, 'refresh', mount / 'by-id/7')
    api.wait_for(2)
    assert (mount / 'by-id/7/name').read_text() == 'Asha\n'
    assert refresh.poll() is None
    gate.set()
    assert harness.finish(refresh)[0] == 0
    assert (mount / 'by-id/7/name').read_text() == 'Bela\n'


def test_refresh_that_waits_can_be_killed(mount, api):
    read_all(mount)
    gate = api.hold(KEYS[0])
    refresh = harness.start(harness.BINARY, 'refresh', mount / 'by-id/7')
    api.wait_for(4)
    refresh.terminate()
    assert harness.finish(refresh, 5)[0] == -15
    gate.set()


# Forgetting

def bytes_of_cache(mount):
    return {path.name: path.read_bytes() for path in mount.path.parent.glob('cache.db*')}


def traces(mount, *words):
    return [(name, word) for name, content in bytes_of_cache(mount).items() for word in words
            if word in content]


SECRETS = [b'Zyxwvut Qponmlk', b'9800000007', b'c7@example.com', b'c7@EXAMPLE.COM', b'500007']


def test_forget_leaves_no_byte_in_the_files_of_the_cache(mounts, api):
    serve(api, 'Zyxwvut Qponmlk')
    api.add_numbers(range(8, 40))
    mount = mounts(api.url)
    for place in PLACES:
        (mount / place / 'name').read_text()
    for number in range(8, 40):
        os.stat(mount / 'by-id' / str(number))
    done(command('refresh', mount / 'by-id/7'))
    # Names and numbers are packed in there; the keys are not.
    assert traces(mount, b'9800000007', b'c7@example.com') != []
    done(command('forget', mount / 'by-phone/9800000007/name'))
    assert traces(mount, *SECRETS) == []
    assert bytes_of_cache(mount)['cache.db-wal'] == b''
    for number in range(8, 40):
        assert (mount / 'by-id' / str(number) / 'name').read_text() == f'Customer {number}\n'


def test_forgotten_customer_is_gone_under_every_key_and_asked_for_again(mount, api):
    read_all(mount)
    asked = len(api.requests)
    done(command('forget', mount / 'by-id/7'))
    assert [os.listdir(mount / directory) for directory in ('by-id', 'by-phone', 'by-email')] \
        == [[], [], []]
    assert len(api.requests) == asked
    serve(api, 'Bela')
    for place in PLACES:
        assert (mount / place / 'name').read_text() == 'Bela\n'
        assert b'"name": "Bela"' in (mount / f'{place}.json').read_bytes()
    assert len(api.requests) == asked + 3


def test_forget_asks_nothing_even_of_a_customer_that_has_expired(mounts, api):
    serve(api, 'Asha')
    mount = mounts(api.url, ttl='0')
    (mount / 'by-id/7/name').read_text()
    asked = len(api.requests)
    done(command('forget', mount / 'by-id/7/name'))
    assert len(api.requests) == asked
    assert traces(mount, b'"id"', b'\x007') == []


def test_forget_works_while_the_api_is_away(mounts, api):
    serve(api, 'Asha')
    mount = mounts(api.url, ttl='0')
    (mount / 'by-id/7/name').read_text()
    api.respond = lambda request: Reply(status=500)
    done(command('forget', mount / 'by-id/7'))
    assert os.listdir(mount / 'by-id') == []


def test_forget_of_what_is_not_known_says_so(mount, api):
    result = command('forget', mount / 'by-id/7')
    assert result.returncode == 0
    assert 'nothing was known' in result.stderr
    assert api.requests == []


def test_forgotten_absence_is_asked_for_again(mount, api):
    assert harness.errno_of(os.stat, mount / 'by-email/nobody@example.org') == errno.ENOENT
    done(command('forget', mount / 'by-email/nobody@example.org'))
    assert traces(mount, b'nobody@example.org') == []
    assert harness.errno_of(os.stat, mount / 'by-email/nobody@example.org') == errno.ENOENT
    assert len(api.requests) == 2


def test_other_customers_stay_what_they_were(mount, api):
    api.add_numbers([8])
    (mount / 'by-id/8/name').read_text()
    read_all(mount)
    asked = len(api.requests)
    done(command('forget', mount / 'by-id/7'))
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    assert len(api.requests) == asked


def resident(address, length):
    """Which pages of a mapping are in the page cache."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    state = ctypes.create_string_buffer((length + mmap.PAGESIZE - 1) // mmap.PAGESIZE)
    assert library.mincore(address, length, state) == 0, ctypes.get_errno()
    return [byte & 1 for byte in state.raw[:(length + mmap.PAGESIZE - 1) // mmap.PAGESIZE]]


class Mapped:
    """A file's page cache, looked at without touching it."""

    def __init__(self, path):
        with open(path, 'rb') as file:
            self.length = len(file.read())
            self.map = mmap.mmap(file.fileno(), self.length, mmap.MAP_PRIVATE,
                                 mmap.PROT_READ | mmap.PROT_WRITE)
        self.place = ctypes.c_char.from_buffer(self.map)

    def resident(self):
        return sum(resident(ctypes.addressof(self.place), self.length))

    def close(self):
        del self.place
        self.map.close()


@pytest.mark.parametrize('name', ['by-id/7/name', 'by-id/7.json', 'by-id/7/contacts/500007/phone',
                                  'by-phone/9800000007.meta'])
def test_forget_drops_the_pages_of_the_kernel(mount, api, name):
    serve(api, 'Z' * 9000)
    mapped = Mapped(mount / name)
    try:
        assert mapped.resident() >= 1
        done(command('forget', mount / 'by-id/7'))
        assert mapped.resident() == 0
    finally:
        mapped.close()


def test_answer_under_way_does_not_bring_back_who_is_forgotten(mounts, api):
    serve(api, 'Zyxwvut Qponmlk')
    mount = mounts(api.url, ttl='0', patience='0')
    (mount / 'by-id/7/name').read_text()
    asked = len(api.requests)
    gate = api.hold(KEYS[0])
    # Served the old answer, while the new one is under way; the one before may be, too.
    harness.wait_until(lambda: (mount / 'by-id/7/name').read_text() == 'Zyxwvut Qponmlk\n' and
                       len(api.requests) > asked, 'it is asked for')
    done(command('forget', mount / 'by-id/7'))
    gate.set()
    # What comes later than that answer has come later.
    api.add_numbers([8])
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    assert os.listdir(mount / 'by-id') == ['8']
    assert traces(mount, *SECRETS) == []


def test_who_waits_for_a_customer_while_he_is_forgotten_asks_again(mount, api):
    gate = api.hold(KEYS[0])
    waiting = harness.start('cat', mount / 'by-id/7/name')
    api.wait_for(1)
    api.respond = api.honest
    serve(api, 'Bela')
    command('forget', mount / 'by-id/7')
    assert harness.finish(waiting)[:2] == (0, b'Bela\n')
    assert len(api.requests) == 2
    gate.set()


def test_forgetting_while_others_read_breaks_nobody(mount, api):
    """Readers get the customer or, for an open file, an error; the daemon gets no harm."""
    ended = threading.Event()
    wrong = []

    def read(place):
        while not ended.is_set():
            try:
                text = (mount / place / 'name').read_text()
                if text != 'Asha\n':
                    wrong.append(text)
            except OSError as error:
                if error.errno not in (errno.ESTALE, errno.ENOENT):
                    wrong.append(error)

    readers = [threading.Thread(target=read, args=(place,)) for place in PLACES * 2]
    for reader in readers:
        reader.start()
    for _ in range(20):
        assert command('forget', mount / 'by-id/7').returncode == 0
        assert command('refresh', mount / 'by-phone/9800000007').returncode in (0, 1)
    ended.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert Metrics(mount)('overdue_requests_total') == 0


@pytest.mark.skipif(os.getuid() != 0, reason='becomes another user, which only root can')
def test_only_the_owner_may_have_things_forgotten(mounts, api):
    serve(api, 'Asha')
    with tempfile.TemporaryDirectory() as directory, users.home() as home:
        os.chmod(directory, 0o755)
        mount = harness.Mount(api.url, directory, allow_other=True, umask='022')
        mounts.all.append(mount)
        (mount / 'by-id/7/name').read_text()
        refused(users.run(home / 'kapturefs', 'forget', mount / 'by-id/7'), 5, 'only the owner')
        done(users.run(home / 'kapturefs', 'refresh', mount / 'by-id/7'))
        assert os.listdir(mount / 'by-id') == ['7']
        mount.close()
