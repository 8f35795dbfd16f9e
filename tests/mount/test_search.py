# SPDX-License-Identifier: MIT
"""search/<words>/: links to the cached customers in which all words occur."""

import concurrent.futures
import errno
import os
import subprocess
import time

import pytest

import harness
from test_listing import Stream


@pytest.fixture
def mount(mounts, api):
    api.add_numbers([7], city='São Paulo')
    api.add_numbers([8], city='Sao Tome')
    api.add_numbers([9], city='Pune')
    made = mounts(api.url)
    for number in (7, 8, 9):
        os.stat(made / 'by-id' / str(number))
    return made


def test_links_lead_to_those_in_whom_all_words_occur(mount, api):
    asked = len(api.requests)
    assert sorted(os.listdir(mount / 'search' / 'sao')) == ['7', '8']
    assert os.listdir(mount / 'search' / 'SÃO asha paul') == ['7']
    assert os.readlink(mount / 'search' / 'pune' / '9') == '../../by-id/9'
    assert (mount / 'search' / 'pune' / '9' / 'name').read_text() == 'Customer 9\n'
    assert (mount / 'search' / '00000008' / '8' / 'city').read_text() == 'Sao Tome\n'
    assert len(api.requests) == asked


WRITTEN = ['9380491326', '(938) 049-1326', '938 049 1326', '938.049.1326', ' 9380491326 ',
           'tel:938-049-1326', '938\u00a0049\u20131326', '+938 0491326']


@pytest.mark.parametrize('stored', WRITTEN)
def test_phone_number_is_found_however_it_is_written(mounts, api, stored):
    api.add_numbers([7, 8, 9])
    api.add_numbers([10], phone=stored, city='Pune')
    mount = mounts(api.url)
    for number in range(7, 11):
        os.stat(mount / 'by-id' / str(number))
    for words in WRITTEN:
        assert os.listdir(mount / 'search' / words) == ['10'], words
        assert (mount / 'search' / words / '10' / 'city').read_text() == 'Pune\n'
        for mixed in (f'{words} pune', f'pune {words}', f' PUNE\u00a0{words}  customer'):
            assert os.listdir(mount / 'search' / mixed) == ['10'], mixed
        assert os.listdir(mount / 'search' / f'{words} mumbai') == []
    assert os.listdir(mount / 'search' / '049-1326 pune') == ['10']


def test_phone_number_with_its_country_is_found(mounts, api):
    api.add_numbers([10], phone='9380491326')
    mount = mounts(api.url, phone_country='91')
    os.stat(mount / 'by-id' / '10')
    for words in ('+91 93804-91326', '0091 93804 91326', '0 93804 91326', '9380491326'):
        assert os.listdir(mount / 'search' / words) == ['10'], words
        assert os.listdir(mount / 'search' / f'customer {words} 10') == ['10'], words


def test_words_that_only_look_like_a_phone_number_are_words(mounts, api):
    api.add_numbers([10], phone='9380491326', remarks='since 2024-01-12, bill 77-41-2024')
    api.add_numbers([11], phone='2024011277', pinCode='560001')
    mount = mounts(api.url)
    for number in (10, 11):
        os.stat(mount / 'by-id' / str(number))
    assert os.listdir(mount / 'search' / '2024-01-12') == ['10']
    assert os.listdir(mount / 'search' / '77-41-2024') == ['10']
    assert os.listdir(mount / 'search' / '2024-01-12 77-41-2024 since') == ['10']
    assert os.listdir(mount / 'search' / '9380491326 77 customer') == ['10']
    assert os.listdir(mount / 'search' / 'customer 202401 560001') == ['11']
    assert os.listdir(mount / 'search' / '202401 560001') == ['11']
    assert os.listdir(mount / 'search' / '93804 1326') == ['10']


def test_the_directory_of_searches_lists_nothing(mount):
    os.listdir(mount / 'search' / 'pune')
    assert os.listdir(mount / 'search') == []


def test_directory_that_is_read_stays_while_others_change(mounts, api):
    """As os.walk() reads it: some entries, and the path of each."""
    api.add_numbers(range(1, 1001))
    mount = mounts(api.url, rate='5000/s', burst='5000')
    for number in range(1, 601):
        os.stat(mount / 'by-id' / str(number))
    stream = Stream(mount / 'search/customer')
    names = [stream.next() for _ in range(10)]
    for number in range(601, 1001):
        os.stat(mount / 'by-id' / str(number))
        os.stat(mount / 'search/customer')
    names += stream.rest()
    stream.close()
    assert {os.fsencode(str(number)) for number in range(1, 601)} == set(names) - {b'.', b'..'}


def test_many_at_once_are_all_read_to_their_end(mount):
    """Side by side and one after the other, in more directories than are kept."""
    words = [f'customer{" " * count}' for count in range(240)]
    listings = [subprocess.Popen(['ls', mount / 'search' / each], stdout=subprocess.PIPE)
                for each in words[:60]]
    assert {listing.communicate()[0] for listing in listings} == {b'7\n8\n9\n'}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda each: sorted(os.listdir(mount / 'search' / each)), words)
    assert list(found) == [['7', '8', '9']] * len(words)


def test_words_of_nobody_are_an_empty_directory(mount, api):
    asked = len(api.requests)
    for words in ('nobody', ' ', '\xff', 'x' * 255):
        assert os.listdir(os.path.join(mount / 'search', words)) == []
    assert len(api.requests) == asked


def test_only_who_matches_is_in_it(mount, api):
    asked = len(api.requests)
    for name in ('8', '09', '+9', '99', 'name', '.git'):
        assert harness.errno_of(os.lstat, mount / 'search' / 'pune' / name) == errno.ENOENT
    assert len(api.requests) == asked


def test_each_look_finds_who_matches_by_then(mount, api):
    pune = mount / 'search' / 'pune'
    assert os.listdir(pune) == ['9']
    api.add_numbers([10], city='Pune')
    os.stat(mount / 'by-id' / '10')
    assert sorted(os.listdir(pune)) == ['10', '9']
    assert harness.command('forget', mount / 'by-id' / '9').returncode == 0
    assert os.listdir(pune) == ['10']
    assert harness.errno_of(os.lstat, pune / '9') == errno.ENOENT


def test_a_directory_that_is_open_stays_what_it_is(mount, api):
    descriptor = os.open(mount / 'search' / 'sao', os.O_RDONLY)
    try:
        api.add_numbers([10], city='sao')
        os.stat(mount / 'by-id' / '10')
        assert '10' in os.listdir(mount / 'search' / 'sao')
        assert {'7', '8'} <= set(os.listdir(descriptor))
    finally:
        os.close(descriptor)


def test_nothing_can_be_made_there(mount):
    assert harness.errno_of(os.mkdir, mount / 'search' / 'pune' / '1') == errno.EROFS
    assert harness.errno_of(os.listdir, mount / 'search' / 'pune' / '9' / 'name') == errno.ENOTDIR


def test_a_refused_token_closes_it(mount, api):
    api.token = 'another'
    assert harness.errno_of(os.stat, mount / 'by-id' / '11') == errno.EACCES
    assert harness.errno_of(os.listdir, mount / 'search' / 'pune') == errno.EACCES


def test_a_search_is_the_same_directory_until_somebody_in_it_changes(mount, api):
    before = os.stat(mount / 'search/pune')
    link = os.lstat(mount / 'search/pune/9')
    api.add_numbers([10], city='Mumbai')
    os.stat(mount / 'by-id/10')
    api.add_numbers([7], city='Sao Luis')
    assert harness.command('refresh', mount / 'by-id/7').returncode == 0
    assert harness.command('forget', mount / 'by-id/8').returncode == 0
    same = os.stat(mount / 'search/pune')
    assert (same.st_ino, same.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert os.lstat(mount / 'search/pune/9') == link
    api.add_numbers([10], city='Pune')
    assert harness.command('refresh', mount / 'by-id/10').returncode == 0
    after = os.stat(mount / 'search/pune')
    assert after.st_ino != before.st_ino and after.st_mtime_ns > before.st_mtime_ns
    assert sorted(os.listdir(mount / 'search/pune')) == ['10', '9']
    assert os.lstat(mount / 'search/pune/9') == link
    api.add_numbers([9], city='Thane')
    assert harness.command('refresh', mount / 'by-id/9').returncode == 0
    assert os.listdir(mount / 'search/pune') == ['10']
    assert harness.command('forget', mount / 'by-id/10').returncode == 0
    assert os.listdir(mount / 'search/pune') == []


def test_a_search_has_the_time_of_the_last_change_whoever_mounts(mounts, api):
    api.add_numbers([7], city='Pune')
    first = mounts(api.url)
    os.stat(first / 'by-id/7')
    before = os.stat(first / 'search/pune').st_mtime_ns
    assert abs(before / 1e9 - time.time()) < 60
    first.close()
    assert os.stat(mounts(api.url) / 'search/pune').st_mtime_ns == before
