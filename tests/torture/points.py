# SPDX-License-Identifier: MIT
"""Histories that were wrong once, each as short as it could be made, by what was wrong in it."""

ID, OTHER, THIRD = ('id', '551'), ('id', '552'), ('id', '553')
ONE, TWO, THREE = (('phone', f'98{digit * 8}') for digit in '123')      # of 551
FOREIGN = ('phone', '9855555555')       # of 552
DAY = '2026-01-05'                      # has 551 and 552
KNOWN = [('look', ID), ('look', ONE)]
WORDS = {'name': 'change_name', 'extra': 'come_or_go', 'text': 'becomes_text',
         'object': 'becomes_object', 'member': 'member_of_object',
         'contact': 'contact_comes_or_goes', 'order': 'order',
         'primary': 'primary', 'null': 'null_or_empty'}


def by_another_key(*words):
    """Changes that an ordinary look-up brings, by a key that nobody has used."""
    return [step for place, word in enumerate(words)
            for step in (('change', 551, WORDS[word]), ('look', [TWO, THREE][place]))]


# Name: (time to live, options, steps).
POINTS = {
    'names that were not there': (300, {}, [*KNOWN, *by_another_key('extra', 'contact')]),
    'names that are there no more': (300, {}, [
        ('change', 551, 'come_or_go'), *KNOWN, *by_another_key('extra')]),
    'names of a member of another kind': (300, {}, [*KNOWN, *by_another_key('text', 'object')]),
    'names after refresh': (300, {}, [
        *KNOWN, ('change_and_refresh', 551, WORDS['contact'], ONE),
        ('change_and_refresh', 551, WORDS['text'], ONE),
        ('change_and_refresh', 551, WORDS['object'], ID)]),
    'who came to a day': (300, {}, [
        ('refresh_day', DAY), ('change_and_refresh_day', DAY, 553)]),
    'who left a day': (300, {}, [('refresh_day', DAY), ('change_and_refresh_day', DAY, 552)]),
    'stale after a forced question': (300, {}, [
        *KNOWN, ('change_and_fail', 551, WORDS['name'], ID, ONE, True)]),
    'stale after a fault': (2, {}, [*KNOWN, ('change_and_expire', 551, WORDS['name'], ID)]),
    'a refresh that fails': (300, {}, [
        *KNOWN, ('change_and_fail', 551, WORDS['name'], ID, ONE, False)]),
    'a refresh that fails, by another key': (300, {}, [
        *KNOWN, ('change_and_fail', 551, WORDS['name'], ONE, ID, False)]),
    'forgotten while asked': (300, {}, [*KNOWN, ('forget_while_asked', 551, 0, ONE)]),
    'forgotten while a day is asked': (300, {}, [
        *KNOWN, ('forget_while_day_is_asked', 551, DAY)]),
    'forgotten while exported': (300, {}, [
        *KNOWN, ('look', OTHER), ('read_export_and_forget', 551, 1)]),
    'times of a key that moves': (300, {}, [
        ('look', OTHER), ('look', ID), ('change_and_refresh', 551, WORDS['name'], ID),
        ('look', ONE), ('move_and_refresh', ONE, 552)]),
    'replaced while read': (300, {}, [*KNOWN, ('replace_while_read', 551, ONE)]),
    'absent while read': (300, {}, [*KNOWN, ('absent_while_read', 551, ID, ONE)]),
    'a shorter time to live': (300, {}, [
        *KNOWN, ('change_and_reload', 551, WORDS['name'], ONE)]),
    'no staleness': (2, {}, [*KNOWN, ('reload_without_staleness', ID)]),
    'evicted under a reader': (300, {'cache_size': '4M'}, [
        ('evict_under_a_reader', 480)]),
    'a value by another key': (300, {}, [*KNOWN, *by_another_key('name', 'name')]),
    'links of a key that moved': (300, {}, [
        *KNOWN, ('look', TWO), ('look', OTHER), ('move_and_refresh', TWO, 552)]),
    'contacts in another order': (300, {}, [
        *KNOWN, ('change_and_refresh', 551, WORDS['order'], ID), *by_another_key('order')]),
    'another primary contact': (300, {}, [*KNOWN, *by_another_key('primary')]),
    'null and nothing': (300, {}, [
        *KNOWN, ('change_and_refresh', 551, WORDS['null'], ID),
        ('change_and_refresh', 551, WORDS['null'], ID)]),
    'times of .meta': (300, {}, [*KNOWN, *by_another_key('name'), ('reload', 3)]),
    'a directory of a key that moved': (300, {}, [
        ('look', OTHER), *KNOWN, ('open_directory', ONE, b''), ('open_directory', ONE, b'contacts'),
        ('move_and_refresh', ONE, 552)]),
    'a directory of a member of another kind': (300, {}, [
        *KNOWN, ('open_directory', ONE, b'obj'), *by_another_key('text')]),
    'a search and somebody else': (300, {}, [
        *KNOWN, ('settle',), ('look', OTHER), ('look', THIRD)]),
    'the time of export': (300, {}, [*KNOWN, ('remount', False)]),
}
