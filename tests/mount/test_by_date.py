# SPDX-License-Identifier: MIT
"""by-date: a directory a day, asked for when it is opened and at no other time."""

import datetime
import errno
import json
import os
import pathlib
import time

import pytest

import api as api_module
import harness
from days import DAY, KNOWN, asked_pages, ids, today


def test_day_is_links_to_the_customers_created_on_it(mounts, api):
    api.add_numbers([7, 8])
    api.days[DAY] = [7, 8]
    mount = mounts(api.url, **KNOWN)
    assert ids(mount) == ['7', '8']
    assert os.readlink(mount / 'by-date' / DAY / '7') == '../../by-id/7'
    assert (mount / 'by-date' / DAY / '7/name').read_text() == 'Customer 7\n'
    status = os.lstat(mount / 'by-date' / DAY / '7')
    assert os.path.stat.S_ISLNK(status.st_mode)
    assert status.st_size == len('../../by-id/7')


def test_question_is_as_the_vendor_documents_it(mounts, api):
    mount = mounts(api.url, **KNOWN)
    ids(mount)
    assert api.requests[0].path == '/select-customer-between-start-and-end-dates.html'
    assert json.loads(api.requests[0].body) == {
        'cm_id': api_module.ACCOUNT, 'createStartDate': DAY, 'createEndDate': '2026-01-06',
        'limit': '100', 'offset': '0'}


def test_listing_the_days_asks_nothing_and_opening_one_asks_once(mounts, api):
    api.days[DAY] = [7]
    mount = mounts(api.url, **KNOWN)
    assert os.listdir(mount / 'by-date') == []
    assert api.requests == []
    for _ in range(2):
        assert ids(mount) == ['7']
    os.stat(mount / 'by-date' / DAY)
    os.lstat(mount / 'by-date' / DAY / '7')
    assert asked_pages(api) == [(DAY, 0, 100)]
    assert os.listdir(mount / 'by-date') == [DAY]
    assert len(api.requests) == 1


def test_refused_token_is_eacces_and_closes_the_door(mounts, api):
    api.token = 'another'
    mount = mounts(api.url, **KNOWN)
    assert harness.errno_of(os.listdir, mount / 'by-date' / DAY) == errno.EACCES
    assert harness.errno_of(os.listdir, mount / 'by-date/2026-01-06') == errno.EACCES
    assert len(api.requests) == 1


def test_token_refused_for_days_is_good_for_all_else(mounts, api):
    api.add_numbers([7, 8])
    api.respond = lambda request: (api_module.Reply(api_module.REFUSED)
                                   if request.key[0] == 'date' else api.honest(request))
    mount = mounts(api.url, **KNOWN)
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert harness.errno_of(os.listdir, mount / 'by-date' / DAY) == errno.EACCES
    assert (mount / 'by-id/8/name').read_text() == 'Customer 8\n'
    assert sorted(os.listdir(mount / 'search/customer')) == ['7', '8']
    assert 'accepted, but refused for by-date/' in (mount / '.kapturefs/status').read_text()


def test_days_of_another_account_are_not_believed(mounts, api):
    """An account_id that was mistyped, and corrected."""
    api.days[DAY] = [7]
    mount = mounts(api.url, account_id=int(KNOWN['account_id']) + 1)
    api.respond = lambda request: api_module.page([])
    assert ids(mount) == []
    mount.close()
    api.respond = api.honest
    mount = mounts(api.url, **KNOWN)
    assert os.listdir(mount / 'by-date') == []
    assert ids(mount) == ['7']
    mount.close()
    mount = mounts(api.url, **KNOWN)
    assert (os.listdir(mount / 'by-date'), ids(mount)) == ([DAY], ['7'])
    assert len(api.requests) == 2


def test_account_that_is_not_the_customers_is_told(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/7')
    mount.close()
    mount = mounts(api.url, account_id=1234)
    assert mount.log.wait_for('account_id=1234 is not the account of the cached customers')


def test_a_day_that_was_evicted_is_listed_again(mounts, api):
    """The kernel still knows its directory, but not what is in it."""
    api.days[DAY] = [7]
    api.add_numbers(range(1, 6001))
    mount = mounts(api.url, cache_size='1M', rate='5000/s', burst='5000', **KNOWN)
    assert ids(mount) == ['7']
    customer = os.listdir(mount / 'by-id/1')
    for number in range(2, 6001):
        os.stat(mount / 'by-id' / str(number))
        if number % 100 == 0 and os.listdir(mount / 'by-date') == []:
            break
    harness.wait_until(lambda: os.listdir(mount / 'by-date') == [], 'it goes')
    assert '1' not in os.listdir(mount / 'by-id')
    pathlib.Path('/proc/sys/vm/drop_caches').write_text('1')
    assert ids(mount) == ['7']
    assert os.listdir(mount / 'by-id/1') == customer


def test_names_that_are_no_day_or_one_to_come_are_absent_at_once(mounts, api):
    mount = mounts(api.url, **KNOWN)
    future = [str(today() + datetime.timedelta(days)) for days in (2, 3, 400)]
    for name in ['2026-02-29', '2026-13-01', '2026-1-5', '20260105', '2026-01-05.json', '.git',
                 '1969-12-31', '2026-01-05 ', '9999-12-31', *future]:
        assert harness.errno_of(os.stat, mount / 'by-date' / name) == errno.ENOENT, name
    assert api.requests == []


def test_names_that_programs_probe_for_in_a_day_ask_nothing_more(mounts, api):
    api.days[DAY] = [7]
    mount = mounts(api.url, **KNOWN)
    ids(mount)
    for name in ['.git', '8', '07', 'name', '7.json', '.hidden']:
        assert harness.errno_of(os.lstat, mount / 'by-date' / DAY / name) == errno.ENOENT
    assert len(api.requests) == 1


def test_there_is_no_by_date_until_the_account_is_known(mounts, api):
    api.add_numbers([7])
    api.days[DAY] = [7]
    mount = mounts(api.url)
    assert 'by-date' not in os.listdir(mount.path)
    assert harness.errno_of(os.stat, mount / 'by-date') == errno.ENOENT
    assert harness.errno_of(os.stat, mount / 'by-date' / DAY) == errno.ENOENT
    assert api.requests == []
    os.stat(mount / 'by-id/7')
    assert 'by-date' in os.listdir(mount.path)
    assert ids(mount) == ['7']
    assert json.loads(api.requests[1].body)['cm_id'] == api_module.ACCOUNT


def test_account_of_an_earlier_answer_is_known_again(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/7')
    mount.close()
    again = mounts(api.url)
    assert 'by-date' in os.listdir(again.path)


def test_past_day_outlives_its_ttl_and_today_does_not(mounts, api):
    now = str(today())
    mount = mounts(api.url, ttl='0', **KNOWN)
    for _ in range(2):
        ids(mount)
        ids(mount, now)
    assert [day for day, _, _ in asked_pages(api)].count(DAY) == 1
    assert [day for day, _, _ in asked_pages(api)].count(now) >= 2


def test_who_comes_today_comes_and_links_keep_their_numbers(mounts, api):
    now = str(today())
    api.days[now] = [8, 9]
    mount = mounts(api.url, ttl='0', **KNOWN)
    assert ids(mount, now) == ['8', '9']
    before = os.lstat(mount / 'by-date' / now / '9').st_ino
    api.days[now] = [7, 9]
    assert ids(mount, now) == ['7', '9']
    assert os.readlink(mount / 'by-date' / now / '7') == '../../by-id/7'
    assert os.lstat(mount / 'by-date' / now / '9').st_ino == before


def test_old_answer_stands_in_when_asking_fails(mounts, api):
    now = str(today())
    api.days[now] = [8]
    mount = mounts(api.url, ttl='0', **KNOWN)
    assert ids(mount, now) == ['8']
    api.respond = lambda request: api_module.Reply(b'', 503)
    assert ids(mount, now) == ['8']


def test_remount_has_the_day_and_offline_serves_it(mounts, api):
    api.days[DAY] = [7, 8]
    mount = mounts(api.url, **KNOWN)
    inode = os.lstat(mount / 'by-date' / DAY / '8').st_ino
    mount.close()
    again = mounts(api.url, offline=True, **KNOWN)
    assert ids(again) == ['7', '8']
    assert os.lstat(again / 'by-date' / DAY / '8').st_ino == inode
    assert harness.errno_of(os.listdir, again / 'by-date/2026-01-06') == errno.ENETDOWN
    assert len(api.requests) == 1


def test_walk_over_by_date_asks_nothing(mounts, api):
    mount = mounts(api.url, **KNOWN)
    for _ in os.walk(mount.path):
        pass
    assert api.requests == []
    ids(mount)
    for folder, _, files in os.walk(mount.path):
        for name in files:
            os.lstat(os.path.join(folder, name))
    assert len(api.requests) == 1


def test_forgetting_a_customer_forgets_the_days_that_show_it(mounts, api):
    api.add_numbers([7])
    api.days[DAY] = [7, 8]
    mount = mounts(api.url, **KNOWN)
    os.stat(mount / 'by-date' / DAY / '7')
    done = harness.command('forget', mount / 'by-id/7')
    assert done.returncode == 0, done.stderr
    assert os.listdir(mount / 'by-date') == []
    assert ids(mount) == ['7', '8']
    assert len(asked_pages(api)) == 2


def test_day_is_refreshed_and_forgotten_by_its_path(mounts, api):
    api.days[DAY] = [7]
    mount = mounts(api.url, **KNOWN)
    assert ids(mount) == ['7']
    api.days[DAY] = [7, 8]
    done = harness.command('refresh', mount / 'by-date' / DAY)
    assert done.returncode == 0, done.stderr
    assert ids(mount) == ['7', '8']
    assert len(asked_pages(api)) == 2
    done = harness.command('forget', mount / 'by-date' / DAY)
    assert done.returncode == 0, done.stderr
    assert os.listdir(mount / 'by-date') == []
    assert ids(mount) == ['7', '8']
    assert len(asked_pages(api)) == 3


def test_day_that_takes_longer_than_anybody_waits_is_there_when_it_has_come(mounts, api):
    api.days[DAY] = list(range(1000, 1250))

    def respond(request):
        time.sleep(0.9)
        return api.honest(request)
    api.respond = respond
    mount = mounts(api.url, **{**KNOWN, 'timeout': '2'})
    path = mount / 'by-date' / DAY
    assert harness.errno_of(os.listdir, path) == errno.ETIMEDOUT
    harness.wait_until(lambda: harness.errno_of(os.listdir, path) == 0, 'the day')
    assert len(ids(mount)) == 250
    assert [offset for _, offset, _ in asked_pages(api)] == [0, 100, 200]


def test_no_order_reaches_a_day_that_cannot_be_asked_for(mounts, api):
    unknown = mounts(api.url, '1')
    known = mounts(api.url, '2', **KNOWN)
    future = str(today() + datetime.timedelta(3))
    for order in ('refresh', 'forget'):
        for path in (unknown / 'by-date' / DAY, known / 'by-date' / future,
                     known / 'by-date/2026-02-29'):
            assert harness.command(order, path).returncode == 1, (order, path)
    assert api.requests == []


def test_many_who_open_a_day_ask_once(mounts, api):
    api.days[DAY] = [7]
    gate = api.hold(('date', DAY))
    mount = mounts(api.url, **KNOWN)
    listings = [harness.start('ls', mount / 'by-date' / DAY) for _ in range(8)]
    api.wait_for(1)
    gate.set()
    for listing in listings:
        assert harness.finish(listing)[:2] == (0, b'7\n')
    assert len(api.requests) == 1


# warm


def warm(mount, *arguments):
    result = harness.command('warm', '--json', *arguments, mount.path)
    return json.loads(result.stdout), result


def test_warm_asks_for_the_days_and_then_for_their_customers(mounts, api):
    api.add_numbers([7, 8, 9])
    api.days.update({'2026-01-05': [7, 8], '2026-01-07': [8, 9, 10]})
    mount = mounts(api.url, **KNOWN)
    report, result = warm(mount, '--since', '2026-01-05', '--until', '2026-01-07')
    assert report == {'days': 3, 'days_failed': 0, 'keys': 4, 'found': 3, 'absent': 1, 'failed': 0,
                      'left': 0, 'failed_keys': []}
    assert result.returncode == 1
    assert sorted(day for day, _, _ in asked_pages(api)) == ['2026-01-05', '2026-01-06',
                                                             '2026-01-07']
    assert len(api.requests) == 7
    assert (mount / 'by-date/2026-01-07/9/name').read_text() == 'Customer 9\n'
    # Who was found absent is on no list any more.
    report.update(keys=3, absent=0)
    assert warm(mount, '--since', '2026-01-05', '--until', '2026-01-07')[0] == report
    assert len(api.requests) == 7


def test_warm_tells_which_day_failed_and_goes_on(mounts, api):
    api.add_numbers([7])
    api.days['2026-01-06'] = [7]
    mount = mounts(api.url, **KNOWN)
    api.respond = lambda request: (
        api_module.Reply(b'', 500) if request.key == ('date', DAY) else api.honest(request))
    report, result = warm(mount, '--since', '2026-01-05', '--until', '2026-01-06')
    assert (report['days'], report['days_failed'], report['found']) == (2, 1, 1)
    assert result.returncode == 3
    assert f'date:{DAY}' in result.stderr
    words = harness.command('warm', '--since', '2026-01-05', '--until', '2026-01-06', mount.path)
    assert words.stdout == '2 days, 1 failed: 1 found, 0 absent, 0 failed\n'


def test_dry_warm_asks_nothing_and_tells_what_is_known(mounts, api):
    api.add_numbers([7, 8])
    api.days[DAY] = [7, 8]
    mount = mounts(api.url, **KNOWN)
    ids(mount)
    os.listdir(mount / 'by-id/7')
    report, _ = warm(mount, '--dry-run', '--since', DAY, '--until', '2026-01-08')
    assert report == {'days': 4, 'days_to_ask': 3, 'keys': 2, 'known': 1, 'to_ask': 1, 'failed': 0,
                      'seconds': 0}
    words = harness.command('warm', '--dry-run', '--since', DAY, '--until', '2026-01-08',
                            mount.path)
    assert words.stdout.startswith('4 days, 3 to be asked for; the others have 2 keys')
    assert 'at least 4 requests' in words.stdout
    assert len(api.requests) == 2


def test_warm_without_until_ends_today(mounts, api):
    mount = mounts(api.url, **KNOWN)
    since = today() - datetime.timedelta(1)
    report, _ = warm(mount, '--since', since)
    assert report['days'] == len(asked_pages(api)) in (2, 3)


def test_warm_needs_the_account(mounts, api):
    mount = mounts(api.url)
    result = harness.command('warm', '--since', DAY, mount.path)
    assert result.returncode == 5
    assert 'account_id=N' in result.stderr
    assert api.requests == []


@pytest.mark.parametrize('arguments', [
    ['--since', '2026-02-29'], ['--since', 'yesterday'], ['--until', DAY],
    ['--since', DAY, '--until', '2026-01-04'], ['--since', DAY, '--until', '']])
def test_days_that_make_no_sense_are_a_usage_error(mounts, api, arguments):
    mount = mounts(api.url, **KNOWN)
    assert harness.command('warm', *arguments, mount.path).returncode == 2
    assert harness.command('warm', '--since', DAY, mount.path, 'file').returncode == 2
    assert api.requests == []


# The sandbox


def test_sandbox_shows_each_customer_on_its_day(mounts, sandboxes):
    sandbox = sandboxes(customers=200)
    customer = sandbox.customers(1)[0]['id']
    mount = mounts(sandbox.url)
    text = (mount / 'by-id' / customer / 'generationDate').read_text().strip()
    day = datetime.datetime.strptime(text, '%b %d, %Y %I:%M:%S %p').date()
    assert customer in ids(mount, str(day))
    assert customer not in ids(mount, str(day + datetime.timedelta(1)))
    assert customer not in ids(mount, str(day - datetime.timedelta(1)))
