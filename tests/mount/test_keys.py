# SPDX-License-Identifier: MIT
"""Keys as people have them: one customer, one directory, whatever was typed, and no other's."""

import errno
import json
import os
import random

import pytest

import harness
from api import Reply, customer, found
from harness import command

PASTED = ['(938) 049-1326', ' 9380491326', '9380491326\u00a0', '93804 91326', '93804\u201391326',
          '93804\u221291326', '９３８０４９１３２６', '（938）\u3000049－1326', 'tel:9380491326',
          '\u202a93804 91326\u202c', '93804\u202f91326', '938.049.1326', '-9380491326-']
NATIONAL = ['+91 93804-91326', '0091 93804 91326', '00919380491326', '09380491326',
            '+91 (0) 93804 91326', 'tel:+91-93804-91326', '＋91 93804 91326']
WRAPPED = ['<a@b.co>', 'mailto:a@b.co', ' A@B.co ', '<mailto:a@b.co?subject=Hi>', 'a@b.co\u200b']
NO_KEYS = [('by-phone', '9380491326.0'), ('by-phone', '9380491326.00'), ('by-phone', '9.38E+09'),
           ('by-phone', '9380491326,0'), ('by-phone', '9380491326.0.json'), ('by-phone', '938²'),
           ('by-email', 'a b@c.d'), ('by-email', 'a\u00a0b@c.d'), ('by-email', 'Asha <a@b.co>'),
           ('by-id', ' 7'), ('by-id', '７'), ('by-id', '7.0')]


@pytest.fixture
def mount(mounts, api):
    api.add(customer(7), ('phone', '9380491326'), ('email', 'a@b.co'), ('id', '7'))
    return mounts(api.url)


@pytest.mark.parametrize('directory, spellings, canonical', [
    ('by-phone', PASTED, '9380491326'), ('by-email', WRAPPED, 'a@b.co')])
def test_what_is_pasted_is_a_link_to_the_one_directory(mount, api, directory, spellings,
                                                       canonical):
    for spelling in spellings:
        path = mount / directory / spelling
        assert os.readlink(path) == canonical, spelling
        assert (path / 'name').read_text() == 'Customer 7\n'
        assert (mount / directory / (spelling + '.json')).read_bytes() == customer(7) + b'\n'
    assert os.listdir(mount / directory) == [canonical]
    assert len(api.requests) == 1


@pytest.mark.parametrize('directory, name', NO_KEYS)
def test_what_cannot_be_a_key_is_enoent_and_never_asked(mount, api, directory, name):
    assert harness.errno_of(os.lstat, mount / directory / name) == errno.ENOENT
    assert api.requests == []


def test_spellings_of_a_national_number_are_one_key_of_a_country(mounts, api):
    api.add(customer(7), ('phone', '9380491326'))
    api.add(customer(1), ('phone', '15550109999'))
    mount = mounts(api.url, phone_country='91')
    for spelling in PASTED + NATIONAL:
        assert os.readlink(mount / 'by-phone' / spelling) == '9380491326', spelling
    for spelling in ('+1 555 010 9999', '001 (555) 010-9999'):
        assert os.readlink(mount / 'by-phone' / spelling) == '15550109999'
    assert sorted(os.listdir(mount / 'by-phone')) == ['15550109999', '9380491326']
    assert [request.key for request in api.requests] == [('phone', '9380491326'),
                                                         ('phone', '15550109999')]


def test_without_a_country_every_digit_stays(mounts, api):
    api.add(customer(7), ('phone', '919380491326'))
    mount = mounts(api.url)
    assert os.readlink(mount / 'by-phone/+91 93804-91326') == '919380491326'
    assert harness.errno_of(os.lstat, mount / 'by-phone/00919380491326') == errno.ENOENT
    assert [request.key for request in api.requests] == [('phone', '919380491326'),
                                                         ('phone', '00919380491326')]


def test_numbers_stored_without_a_country_do_not_disturb_the_listing_with_one(mounts, api):
    for number, phone in enumerate(('9380491326', '09380491326', '00919380491326'), 1):
        api.add(customer(number), ('phone', phone))
    mount = mounts(api.url)
    for name in ('9380491326', '09380491326', '00919380491326'):
        os.stat(mount / 'by-phone' / name)
    mount.close()
    mount = mounts(api.url, phone_country='91')
    assert os.listdir(mount / 'by-phone') == ['9380491326']
    assert (mount / 'by-phone/09380491326/name').read_text() == 'Customer 1\n'


ADDRESSES = {'a/b@c.d': 'a%2Fb@c.d', '100%@c.d': '100%25@c.d', 'a%2fb@c.d': 'a%252fb@c.d',
             '/@/': '%2F@%2F', 'x@y.json': 'x@y%2Ejson', 'x@y.meta': 'x@y%2Emeta',
             '..@..': '..@..', 'é@ü': 'é@ü', 'q' * 250 + '@c.d': 'q' * 250 + '@c.d',
             'a\u200bb@c.d': 'a%E2%80%8Bb@c.d', 'a\u0085b@c.d': 'a%C2%85b@c.d',
             '/' * 250 + '@c.d': '%2F' * 250 + '@c.d', 'ø' * 125 + '@c.d': 'ø' * 125 + '@c.d'}


def test_every_address_is_listed_opened_refreshed_and_forgotten_by_its_name(mounts, api, tmp_path):
    for number, address in enumerate(ADDRESSES, 1):
        api.add(customer(number), ('email', address))
    mount = mounts(api.url, ttl='1000')
    keys = tmp_path / 'keys'
    keys.write_text(''.join(f'{address}\n' for address in ADDRESSES))
    result = command('warm', mount.path, keys)
    assert (result.returncode, result.stderr.count('no key')) == (0, 0)
    assert result.stdout == f'{len(ADDRESSES)} found, 0 absent, 0 failed\n'
    assert sorted(os.listdir(mount / 'by-email')) == sorted(ADDRESSES.values())
    for number, name in enumerate(ADDRESSES.values(), 1):
        assert (mount / 'by-email' / name / 'name').read_text() == f'Customer {number}\n'
        assert (mount / 'by-email' / f'{name}.json').read_bytes() == customer(number) + b'\n'
        assert f'id={number}\n' in (mount / 'by-email' / f'{name}.meta').read_text()
        api.requests.clear()
        assert command('refresh', mount / 'by-email' / name).returncode == 0
        assert len(api.requests) == 1
    for name in ADDRESSES.values():
        assert command('forget', mount / 'by-email' / name).returncode == 0
    assert os.listdir(mount / 'by-email') == []


def test_a_bare_percent_is_another_spelling(mounts, api):
    api.add(customer(7), ('email', '100%@c.d'))
    mount = mounts(api.url)
    assert os.readlink(mount / 'by-email/100%@c.d') == '100%25@c.d'
    assert os.readlink(mount / 'by-email/100%@c.d.json') == '100%25@c.d.json'
    assert (mount / 'by-email/100%@C.D/name').read_text() == 'Customer 7\n'


def test_get_and_a_mount_name_the_same_customers(mounts, api, tmp_path):
    """Also when the mount has the cache, and get asks it."""
    for number, address in enumerate(ADDRESSES, 1):
        api.add(customer(number, email=address), ('email', address))
    mount = mounts(api.url)
    options = {**mount.options, 'phone_country': None}
    result = command('get', '-o', harness.join_options(options), api.url, *ADDRESSES)
    assert result.stderr == ''
    assert [json.loads(line)['id'] for line in result.stdout.splitlines()] == \
        list(range(1, len(ADDRESSES) + 1))
    assert sorted(os.listdir(mount / 'by-email')) == sorted(ADDRESSES.values())


def any_key(dice):
    """Something that may be a key, of pieces that people type."""
    pieces = ['9', '0', '00', '91', '+', ' ', '-', '.', '(', ')', '\u00a0', '\u2013', '９', '%',
              '%2F', '@', 'a', 'B', '.json', '%2Ejson', '<', '>', 'é', '\u200e', '1', '7', '.0',
              '~', '?']
    return ''.join(dice.choices(pieces, k=dice.randint(1, 8)))


def test_whatever_parses_is_listed_opened_refreshed_and_forgotten_under_its_name(mounts, api):
    """What the mount takes for a key it lists, and takes the listed name for the same key."""
    seen = {}
    api.respond = lambda request: found(customer(seen.setdefault(request.key, len(seen) + 1)))
    dice = random.Random(15)
    mount = mounts(api.url, phone_country='91', ttl='1000', rate='10000/s', burst='100000')
    taken = 0
    for _ in range(1500):
        directory = dice.choice(['by-phone', 'by-email', 'by-email'])
        name = any_key(dice)
        if '/' in name or name in ('.', '..') or name.endswith(('.json', '.meta')) or \
                harness.errno_of(os.stat, mount / directory / name) == errno.ENOENT:
            continue
        taken += 1
        target = os.readlink(mount / directory / name) \
            if os.path.islink(mount / directory / name) else name
        assert target in os.listdir(mount / directory), name
        assert not os.path.islink(mount / directory / target), name
        assert os.path.samefile(mount / directory / name, mount / directory / target)
    assert taken > 50
    for directory in ('by-phone', 'by-email'):
        for name in os.listdir(mount / directory):
            count = len(api.requests)
            assert command('refresh', mount / directory / name).returncode == 0, name
            assert len(api.requests) == count + 1
            assert command('forget', mount / directory / name).returncode == 0, name
            assert name not in os.listdir(mount / directory)


def test_get_reads_keys_as_a_mount_does(api, tmp_path):
    api.add(customer(7), ('phone', '9380491326'), ('email', 'a@b.co'), ('email', 'a/b@c.d'))
    options = {'token_file': harness.write_token(tmp_path), 'cache': tmp_path / 'get.db',
               'phone_country': '+91'}
    result = command('get', '-o', harness.join_options(options), api.url, '--', *PASTED, *NATIONAL,
                     *WRAPPED, 'a/b@c.d', 'phone: 9380491326')
    assert (result.returncode, result.stderr) == (0, '')
    assert {request.key for request in api.requests} == {('phone', '9380491326'),
                                                         ('email', 'a@b.co'), ('email', 'a/b@c.d')}
    asked = len(api.requests)
    result = command('get', '-o', harness.join_options(options), api.url, '9380491326.0')
    assert result.returncode and 'nobody can have that key' in result.stderr
    assert len(api.requests) == asked


def test_warm_reads_keys_as_its_mount_does(mounts, api, tmp_path):
    api.add(customer(7), ('phone', '9380491326'), ('email', 'a@b.co'))
    mount = mounts(api.url, phone_country='91')
    keys = tmp_path / 'keys'
    keys.write_text('\n'.join(PASTED + NATIONAL + WRAPPED))
    result = command('warm', mount.path, keys)
    assert (result.returncode, result.stdout) == (0, '2 found, 0 absent, 0 failed\n')
    assert len(api.requests) == 2


@pytest.mark.parametrize('value', ['0', '1000', 'IN', '-91', '+', '91x'])
def test_a_country_is_a_code(api, tmp_path, value):
    options = {'token_file': harness.write_token(tmp_path), 'phone_country': value}
    result = command('get', '-o', harness.join_options(options), api.url, '7')
    assert result.returncode == 2 and f'phone_country={value}' in result.stderr


# A number with the code of its country, where the API does not know it without

NATIONAL_THEN_CODE = [('phone', '9380491326'), ('phone', '919380491326')]


def test_number_is_asked_for_with_its_code_where_it_is_absent_without(mounts, api):
    api.add(customer(7), NATIONAL_THEN_CODE[1])
    mount = mounts(api.url, phone_country='91')
    assert (mount / 'by-phone/09380491326/name').read_text() == 'Customer 7\n'
    assert [request.key for request in api.requests] == NATIONAL_THEN_CODE
    assert os.listdir(mount / 'by-phone') == ['9380491326']
    assert (mount / 'by-phone/9380491326.json').read_bytes() == customer(7) + b'\n'
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert command('refresh', mount / 'by-phone/9380491326').returncode == 0
    assert [request.key for request in api.requests] == NATIONAL_THEN_CODE * 2


def test_number_that_is_known_without_its_code_is_asked_for_once(mounts, api):
    api.add(customer(7), NATIONAL_THEN_CODE[0])
    api.add(customer(8), NATIONAL_THEN_CODE[1])
    mount = mounts(api.url, phone_country='91')
    assert (mount / 'by-phone/+91 93804 91326/name').read_text() == 'Customer 7\n'
    assert [request.key for request in api.requests] == NATIONAL_THEN_CODE[:1]


def test_absent_number_is_absent_in_both_forms_and_remembered(mounts, api):
    mount = mounts(api.url, phone_country='91')
    for name in ('9380491326', '+91 93804-91326', '9380491326.json', '9380491326'):
        assert harness.errno_of(os.lstat, mount / 'by-phone' / name) == errno.ENOENT
    assert [request.key for request in api.requests] == NATIONAL_THEN_CODE
    assert harness.errno_of(os.lstat, mount / 'by-phone' / ('9' * 19)) == errno.ENOENT
    assert harness.errno_of(os.lstat, mount / 'by-id/5') == errno.ENOENT
    assert harness.errno_of(os.lstat, mount / 'by-email/a@b') == errno.ENOENT
    assert len(api.requests) == 5


@pytest.mark.parametrize('failing', [0, 1])
def test_a_failure_of_either_form_is_no_absence(mounts, api, failing):
    api.respond = lambda request: Reply(status=503) \
        if request.key == NATIONAL_THEN_CODE[failing] else api.honest(request)
    mount = mounts(api.url, phone_country='91', retries='1')
    path = mount / 'by-phone/9380491326'
    assert harness.errno_of(os.stat, path) == errno.EIO
    asked = NATIONAL_THEN_CODE[:failing] + 2 * [NATIONAL_THEN_CODE[failing]]
    assert [request.key for request in api.requests] == asked
    api.respond = api.honest
    api.add(customer(7), NATIONAL_THEN_CODE[1])
    harness.wait_until(lambda: harness.errno_of(os.stat, path) == 0, 'the customer')
    assert (path / 'name').read_text() == 'Customer 7\n'


def test_number_that_leaves_one_form_is_found_in_the_other(mounts, api):
    api.add(customer(7), NATIONAL_THEN_CODE[0])
    mount = mounts(api.url, phone_country='91')
    path = mount / 'by-phone/9380491326'
    assert (path / 'name').read_text() == 'Customer 7\n'
    api.customers = {NATIONAL_THEN_CODE[1]: customer(8)}
    assert command('refresh', path).returncode == 0
    assert (path / 'name').read_text() == 'Customer 8\n'
    api.customers.clear()
    assert command('refresh', path).returncode != 0
    assert harness.errno_of(os.stat, path) == errno.ENOENT
