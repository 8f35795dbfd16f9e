# SPDX-License-Identifier: MIT
"""One customer, one truth: whatever is stored is shown under every key, in every file.

Within a second, as the contract has it, and at once when `refresh` or `forget` has returned.
"""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import harness
from api import ACCOUNT, Reply, customer

ID, PHONE, EMAIL = ('id', '7'), ('phone', '9800000007'), ('email', 'c7@example.com')
PLACES = {'id': 'by-id/7', 'phone': 'by-phone/9800000007', 'email': 'by-email/c7@example.com'}
A_SECOND = 1.0


def name_of(mount, place='by-id/7'):
    return (mount / place / 'name').read_text().strip()


def add(api, name='Asha', keys=(ID, PHONE, EMAIL), number=7, **members):
    api.add(customer(number, **{'name': name, **members}), *keys)


def refresh(mount, *places):
    """The exit status."""
    return harness.command('refresh', *(mount / place for place in places)).returncode


def exists(path):
    return harness.errno_of(os.lstat, path) == 0


def meta_of(mount, place='by-id/7'):
    return (mount / f'{place}.meta').read_text()


def soon(condition, what):
    harness.wait_until(condition, what, A_SECOND)


# Names that were not there

NEW = ['extra', 'extras/kind', 'contacts/12/phone']
MEMBERS = {'extra': 'x', 'extras': {'kind': 'y'},
           'contacts': [{'id': 500007, 'phone': '1'}, {'id': 12, 'phone': '2'}]}


@pytest.mark.parametrize('asked', ['id', 'phone'])
def test_a_member_is_there_under_every_key_as_soon_as_it_is_refreshed_by_one(mounts, api, asked):
    add(api)
    mount = mounts(api.url)
    for place in PLACES.values():
        for name in NEW:
            assert harness.errno_of(os.stat, mount / place / name) == errno.ENOENT
    add(api, **MEMBERS)
    assert refresh(mount, PLACES[asked]) == 0
    for place in PLACES.values():
        assert [name for name in NEW if not exists(mount / place / name)] == [], place


def test_a_member_that_an_ordinary_look_up_brings_is_there_under_every_key(mounts, api):
    add(api)
    mount = mounts(api.url, ttl='2')
    name_of(mount, PLACES['email'])
    time.sleep(1.2)
    name_of(mount, PLACES['phone'])
    for name in NEW:
        assert harness.errno_of(os.stat, mount / PLACES['phone'] / name) == errno.ENOENT
    add(api, **MEMBERS)
    time.sleep(0.9)
    before = len(api.requests)
    name_of(mount, PLACES['email'])
    assert len(api.requests) == before + 1
    for name in NEW:
        soon(lambda name=name: exists(mount / PLACES['phone'] / name), name)
    assert len(api.requests) == before + 1


def test_a_file_that_becomes_a_directory_is_one_and_the_other_way_round(mounts, api):
    add(api, one='file', other={'k': 1})
    mount = mounts(api.url)
    for place in PLACES.values():
        assert (mount / place / 'one').read_text() == 'file\n'
        assert (mount / place / 'other/k').read_text() == '1\n'
    add(api, one={'k': 2}, other='file')
    assert refresh(mount, PLACES['id']) == 0
    for place in PLACES.values():
        assert (mount / place / 'one/k').read_text() == '2\n'
        assert (mount / place / 'other').read_text() == 'file\n'


# Days

def test_a_day_that_was_refreshed_has_who_came_and_not_who_went(mounts, api):
    api.add_numbers([1, 2, 3])
    api.days['2024-05-02'] = [1, 2]
    mount = mounts(api.url, account_id=str(ACCOUNT))
    day = mount / 'by-date/2024-05-02'
    assert sorted(os.listdir(day)) == ['1', '2']
    assert os.readlink(day / '1') == '../../by-id/1'
    assert (day / '1/name').read_text() == 'Customer 1\n'
    assert not exists(day / '3')
    api.days['2024-05-02'] = [2, 3]
    assert refresh(mount, 'by-date/2024-05-02') == 0
    assert (day / '3/name').read_text() == 'Customer 3\n'
    assert not exists(day / '1')
    assert harness.errno_of(os.readlink, day / '1') == errno.ENOENT
    assert harness.errno_of(open, day / '1/name') == errno.ENOENT
    assert sorted(os.listdir(day)) == ['2', '3']


@pytest.mark.parametrize('asked', ['phone', 'id'])
def test_a_link_by_another_spelling_goes_with_its_key(mounts, api, asked):
    links = {'phone': ['by-phone/+9800000007', 'by-phone/+9800000007.json'],
             'id': ['by-id/007', 'by-id/007.meta', 'by-email/C7@Example.com']}
    add(api)
    mount = mounts(api.url)
    for place in PLACES.values():
        name_of(mount, place)
    for link in sum(links.values(), []):
        assert os.path.lexists(mount / os.path.dirname(link) / os.readlink(mount / link))
    for key in (ID, PHONE, EMAIL):
        del api.customers[key]
    assert refresh(mount, PLACES[asked]) == 1
    for link in links[asked]:
        assert harness.errno_of(os.readlink, mount / link) == errno.ENOENT


# What is stale

def fail(request):
    return Reply(b'', status=503)


def test_a_failed_refresh_is_known_under_every_key_and_the_next_answer_is_asked_for(mounts, api):
    add(api)
    mount = mounts(api.url, retries='0')
    for place in PLACES.values():
        name_of(mount, place)
    add(api, 'Bela')
    api.respond = fail
    assert refresh(mount, PLACES['id']) == 3
    assert 'state=stale' in (mount / 'by-phone/9800000007.meta').read_text()
    api.respond = api.honest
    # Left alone for a second; then the first look asks, whatever it is at.
    time.sleep(1.1)
    before = len(api.requests)
    assert name_of(mount, PLACES['phone']) == 'Bela'
    assert len(api.requests) > before
    for place in PLACES.values():
        soon(lambda place=place: name_of(mount, place) == 'Bela', place)


def test_an_old_answer_is_believed_for_a_moment_only(mounts, api):
    add(api)
    mount = mounts(api.url, retries='0')
    assert name_of(mount) == 'Asha'
    add(api, 'Bela')
    api.respond = fail
    assert refresh(mount, PLACES['id']) == 3
    assert name_of(mount) == 'Asha'
    api.respond = api.honest
    harness.wait_until(lambda: name_of(mount) == 'Bela', 'the new value', 3)


# Times

def times(place):
    return {path: os.lstat(path).st_mtime_ns
            for directory, names, files in os.walk(place)
            for path in [directory, *(os.path.join(directory, name) for name in names + files)]}


def test_times_do_not_go_back_when_a_phone_moves_to_an_older_customer(mounts, api):
    add(api, number=8, keys=[('id', '8')])
    add(api)
    mount = mounts(api.url)
    name_of(mount, 'by-id/8')
    time.sleep(0.05)
    before = times(mount / PLACES['phone'])
    moment = time.time_ns()
    time.sleep(0.05)
    add(api, number=8, keys=[PHONE])
    assert refresh(mount, PLACES['phone']) == 0
    assert (mount / PLACES['phone'] / 'id').read_text() == '8\n'
    for place in (PLACES['phone'], 'by-id/8'):
        after = times(mount / place)
        assert min(after.values()) > moment > max(before.values())
    # And again nothing moves.
    after = times(mount / 'by-id/8')
    assert refresh(mount, PLACES['phone']) == 0
    assert times(mount / 'by-id/8') == after


@pytest.mark.parametrize('is_refreshed', [True, False])
def test_each_directory_of_who_gets_a_phone_is_as_young_as_that_under_all_keys(
        mounts, api, is_refreshed):
    deep = {f'a{number}': {'b': {'c': 1}} for number in range(20)}
    add(api, number=8, keys=[('id', '8')], **deep)
    add(api)
    mount = mounts(api.url, ttl='3')
    name_of(mount, PLACES['phone'])
    time.sleep(1.5)
    name_of(mount, 'by-id/8')
    paths = [mount / 'by-id/8' / name for name in ('', 'a9', 'a9/b', 'a9/b/c', 'contacts')]
    before = max(os.stat(path).st_mtime_ns for path in paths)
    add(api, number=8, keys=[PHONE], **deep)
    time.sleep(1.6)
    if is_refreshed:
        assert refresh(mount, PLACES['phone']) == 0
    assert (mount / PLACES['phone'] / 'id').read_text() == '8\n'
    # Not by listing, which would bring the attributes with it.
    assert [path for path in paths if os.stat(path).st_mtime_ns <= before] == []


def test_links_are_counted_when_a_key_comes_and_goes(mounts, api):
    add(api)
    mount = mounts(api.url)
    file = mount / 'by-id/7/name'
    name_of(mount)
    assert os.stat(file).st_nlink == 1
    name_of(mount, PLACES['phone'])
    assert os.stat(file).st_nlink == 2
    add(api, number=8, keys=[PHONE])
    assert refresh(mount, PLACES['phone']) == 0
    assert os.stat(file).st_nlink == 1


def test_contacts_in_another_order_are_another_answer(mounts, api):
    contacts = [{'id': number, 'isPrimaryContact': True} for number in (11, 12)]
    add(api, contacts=contacts)
    mount = mounts(api.url)
    directory, file = mount / 'by-id/7', mount / 'by-id/7.json'
    before = times(directory)
    assert os.readlink(directory / 'contacts/primary') == '11'
    assert [contact['id'] for contact in json.loads(file.read_text())['contacts']] == [11, 12]
    add(api, contacts=contacts[::-1])
    assert refresh(mount, 'by-id/7') == 0
    assert os.readlink(directory / 'contacts/primary') == '12'
    assert (directory / 'contacts/primary/id').read_text() == '12\n'
    assert [contact['id'] for contact in json.loads(file.read_text())['contacts']] == [12, 11]
    after = times(directory)
    assert {os.path.relpath(path, directory) for path in before if before[path] != after[path]} == {
        '.', 'contacts', 'contacts/primary'}


def test_the_primary_contact_is_as_old_as_the_last_change_of_who_it_is(mounts, api):
    contacts = [{'id': number, 'isPrimaryContact': True, 'phone': '1'} for number in (11, 12)]
    add(api, contacts=contacts)
    mount = mounts(api.url)
    link = mount / 'by-id/7/contacts/primary'
    before = os.lstat(link)
    contacts[0]['phone'] = '2'
    add(api, contacts=contacts)
    assert refresh(mount, 'by-id/7') == 0
    assert os.lstat(link) == before
    add(api, contacts=contacts[1:])
    assert refresh(mount, 'by-id/7') == 0
    assert os.readlink(link) == '12'
    assert os.lstat(link).st_mtime_ns > before.st_mtime_ns


def test_null_that_becomes_a_text_of_nothing_is_the_same_file(mounts, api):
    add(api, nothing=None)
    mount = mounts(api.url)
    file = mount / 'by-id/7/nothing'
    before = os.stat(file)
    whole = os.stat(mount / 'by-id/7.json').st_mtime_ns
    add(api, nothing='')
    assert refresh(mount, 'by-id/7') == 0
    assert os.stat(file) == before
    assert '"nothing": ""' in (mount / 'by-id/7.json').read_text()
    assert os.stat(mount / 'by-id/7.json').st_mtime_ns > whole


@pytest.mark.parametrize('status', [3, 0])
def test_meta_never_changes_within_its_time(mounts, api, status):
    add(api)
    mount = mounts(api.url, retries='0')
    shown = []

    def look():
        for place in PLACES.values():
            path = mount / f'{place}.meta'
            shown.append((place, os.stat(path).st_mtime_ns, path.read_text()))

    for place in PLACES.values():
        name_of(mount, place)
    look()
    add(api, 'Bela')
    if status:
        api.respond = fail
    assert refresh(mount, PLACES['id']) == status
    look()
    for place in PLACES.values():
        (_, first, old), (_, second, new) = [entry for entry in shown if entry[0] == place]
        assert old != new
        assert first < second


def test_meta_gets_no_older_when_a_refresh_fails_after_its_time(mounts, api):
    add(api)
    mount = mounts(api.url, ttl='1', retries='0')
    name_of(mount)
    harness.wait_until_stale(mount.path, 'by-id/7')
    file = mount / 'by-id/7.meta'
    before = os.stat(file).st_mtime_ns, file.read_text()
    api.respond = fail
    assert refresh(mount, 'by-id/7') == 3
    assert (os.stat(file).st_mtime_ns, file.read_text()) == before


def test_meta_is_as_old_after_a_mount_as_before_it(mounts, api, tmp_path):
    add(api)
    cache = tmp_path / 'cache.db'
    seen = []
    for place in range(4):
        mount = mounts(api.url, name=str(place), cache=cache, ttl='300' if place < 3 else '400')
        if not place:
            name_of(mount)
        path = mount / 'by-id/7.meta'
        seen.append((os.stat(path).st_mtime_ns, path.read_text()))
        mount.close()
    # Kept from an earlier run, it has another source, once.
    assert seen[0] < seen[1] == seen[2]
    assert seen[0][1] != seen[1][1] != seen[3][1]
    assert seen[2][0] < seen[3][0]


# Who reads

def test_a_directory_that_is_open_shows_no_other_customer(mounts, api):
    add(api)
    mount = mounts(api.url)
    name_of(mount, PLACES['phone'])
    descriptor = os.open(mount / PLACES['phone'] / 'contacts', os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.listdir(descriptor)
        add(api, number=8, keys=[PHONE])
        assert refresh(mount, PLACES['phone']) == 0
        assert harness.errno_of(os.listdir, descriptor) == errno.ESTALE
    finally:
        os.close(descriptor)


SIZE = 300000


def test_a_value_that_is_replaced_is_read_to_its_end_however_long_that_takes(mounts, api):
    add(api, 'a' * SIZE)
    mount = mounts(api.url)
    descriptor = os.open(mount / 'by-id/7/name', os.O_RDONLY)
    try:
        assert os.pread(descriptor, 65536, 0) == b'a' * 65536
        add(api, 'b' * SIZE)
        assert refresh(mount, 'by-id/7') == 0
        assert name_of(mount) == 'b' * SIZE
        time.sleep(4.5)
        # A key by which nobody reads goes.
        name_of(mount, PLACES['phone'])
        del api.customers[PHONE]
        assert refresh(mount, PLACES['phone']) == 1
        assert os.pread(descriptor, SIZE, 65536) == b'a' * (SIZE - 65536) + b'\n'
    finally:
        os.close(descriptor)


def test_who_reads_goes_on_in_no_other_value_after_any_number_of_changes(mounts, api):
    changes = [0]

    def respond(request):
        changes[0] += 1
        add(api, f'{changes[0]:05}' * 20000)
        return api.honest(request)
    api.respond = respond
    mount = mounts(api.url, ttl='0', memory='1M', rate='10000', burst='10000')
    path = mount / 'by-id/7/name'
    descriptor = os.open(path, os.O_RDONLY)
    first = os.pread(descriptor, 5, 0)
    while changes[0] < 1100:
        os.stat(path)
    # The kernel may have been given the number again, for another file: that is EIO.
    try:
        assert os.pread(descriptor, 5, 90000) == first
    except OSError as error:
        assert error.errno in (errno.ESTALE, errno.EIO)
    assert harness.errno_of(os.close, descriptor) in (0, errno.EIO)
    with open(path, 'rb') as file:
        assert int(file.read(5)) >= 1100


LOOKER = '''
import os, sys
os.sched_setaffinity(0, {0})
directory = os.open(sys.argv[1], os.O_RDONLY)
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
print('ready', flush=True)
sys.stdin.readline()
os.listdir(directory) if sys.argv[2] == 'list' else os.stat('name', dir_fd=directory)
'''
HOG = '''
import os
os.sched_setaffinity(0, {0})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
print('ready', flush=True)
while True:
    pass
'''


def python(program, *arguments):
    process = subprocess.Popen([sys.executable, '-c', program, *map(str, arguments)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return process, process.stdout.readline() == b'ready\n'


@pytest.mark.skipif(os.geteuid() != 0 or len(os.sched_getaffinity(0)) < 2,
                    reason='takes one of two processors away from everybody')
@pytest.mark.parametrize('look', ['look', 'list'])
def test_a_reply_that_the_kernel_had_not_taken_up_is_believed_for_a_moment_only(
        mounts, api, look):
    add(api)
    mount = mounts(api.url, ttl='4', patience='20')
    everywhere = os.sched_getaffinity(0)
    assert exists(mount / 'by-id/7')
    looker, _ = python(LOOKER, mount / 'by-id/7', look)
    time.sleep(4.2)
    gate = api.hold(ID)
    count = len(api.requests)
    looker.stdin.write(b'\n')
    looker.stdin.flush()
    api.wait_for(count + 1)
    for thread in os.listdir(f'/proc/{mount.process.pid}/task'):
        os.sched_setaffinity(int(thread), everywhere - {0})
    os.sched_setaffinity(0, everywhere - {0})
    hog, can_hog = python(HOG)
    try:
        # Answered, and the looker has no processor to hear of it.
        gate.set()
        harness.wait_until(lambda: 'state=fresh' in meta_of(mount), 'the answer is there')
        add(api, 'Bela')
        api.respond = api.honest
        assert refresh(mount, PLACES['phone']) == 0
    finally:
        hog.kill()
        hog.communicate()
        os.sched_setaffinity(0, everywhere)
        looker.communicate(timeout=20)
    if not can_hog:
        pytest.skip('no process may have a processor to itself')
    soon(lambda: name_of(mount) == 'Bela', 'the new value')


# Other rules

def test_a_shorter_time_to_live_counts_at_once_for_what_was_answered_before(mounts, api, tmp_path):
    add(api)
    configuration = tmp_path / 'configuration'
    configuration.write_text('ttl = 300\n')
    configuration.chmod(0o600)
    mount = mounts(api.url, config=configuration)
    for place in PLACES.values():
        name_of(mount, place)
    time.sleep(1.1)
    add(api, 'Bela')
    assert name_of(mount) == 'Asha'
    configuration.write_text('ttl = 1\n')
    mount.process.send_signal(signal.SIGHUP)
    for place in PLACES.values():
        soon(lambda place=place: name_of(mount, place) == 'Bela', 'the new value')


# An ordinary answer

def test_a_change_found_by_one_key_is_shown_under_the_others_within_a_second(mounts, api):
    add(api)
    mount = mounts(api.url, ttl='3')
    name_of(mount, PLACES['email'])
    time.sleep(1.5)
    name_of(mount, PLACES['phone'])
    add(api, 'Bela')
    time.sleep(1.6)
    assert name_of(mount, PLACES['email']) == 'Bela'
    before = len(api.requests)
    for place in PLACES.values():
        soon(lambda place=place: name_of(mount, place) == 'Bela', place)
    assert len(api.requests) == before
