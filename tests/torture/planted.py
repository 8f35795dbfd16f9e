# SPDX-License-Identifier: MIT
"""The program with one defect: a few lines of one of its files are others.

A variant is made of the very commands by which the program was built: the file is compiled again,
and linked before the library, of which that part is then left out.
"""

import dataclasses
import pathlib
import re
import shlex
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = 'src/kapturefs'


@dataclasses.dataclass(frozen=True)
class Defect:
    point: str      # that is to find it
    path: str
    right: str      # in the file once
    wrong: str


DEFECTS = {
    # Names
    'a name that is not there is believed for long': Defect(
        'names that were not there', 'src/fs/tree.c',
        '''	/* It may come by any answer, for whatever key. */
	return tree_absent_for(0, ret);''',
        '	return tree_absent_for(VALID_FOREVER_MS, ret);'),
    'a name that is not there is believed for long after refresh': Defect(
        'names after refresh', 'src/fs/tree.c',
        '''	/* It may come by any answer, for whatever key. */
	return tree_absent_for(0, ret);''',
        '	return tree_absent_for(VALID_FOREVER_MS, ret);'),
    'the kernel is not told of members that have gone': Defect(
        'names that are there no more', 'src/fs/notifier_kernel.c',
        'if (now && now->changes == before->changes)',
        'if (!now || now->changes == before->changes)'),
    'a file that became a directory keeps its name': Defect(
        'names of a member of another kind', 'src/fs/notifier_kernel.c',
        'drop_name(notifier, urgent, before);', ';'),
    'who came to a day is believed not to be there': Defect(
        'who came to a day', 'src/fs/tree_day.c',
        'place ? tree_fill_day_link(&day, place, ret) : tree_absent_for(0, ret)',
        'place ? tree_fill_day_link(&day, place, ret) : tree_absent_for(day.valid_ms, ret)'),
    'who left a day is believed to be there': Defect(
        'who left a day', 'src/fs/notifier_kernel.c', '	drop_places(notifier, urgent);\n', ''),
    # For how long
    'what is served stale is believed as if it were fresh': Defect(
        'stale after a fault', 'src/store/catalog_rules.c',
        'return shorter(left_ms, CATALOG_STALE_BELIEVED_MS);',
        'return settings->ttl_ms > 60000 ? settings->ttl_ms : 60000;'),
    'what is forced is believed as if it were not': Defect(
        'stale after a forced question', 'src/store/catalog_rules.c',
        'return shorter(left_ms, CATALOG_STALE_BELIEVED_MS);', 'return settings->ttl_ms;'),
    'a refresh that fails expires nothing': Defect(
        'a refresh that fails', 'src/store/catalog_fetch.c',
        'catalog_tell(catalog, &change);', ';'),
    'a refresh that fails tells the kernel nothing': Defect(
        'a refresh that fails, by another key', 'src/store/catalog_fetch.c',
        'catalog_tell(catalog, &change);', ';'),
    'other rules count for what is asked from then on': Defect(
        'a shorter time to live', 'src/store/catalog_rules.c',
        'tell_some(&catalog->rules.timer);\n}', ';\n}'),
    'max_stale counts from the next start': Defect(
        'no staleness', 'src/store/catalog_rules.c',
        'catalog->settings.max_stale_ms = settings->max_stale_ms;', ''),
    # Forgetting
    'an id that was forgotten is not noted': Defect(
        'forgotten while asked', 'src/store/catalog_order.c',
        'catalog_note(catalog, &id, &note);', '(void)id;'),
    'a list may have those who were forgotten': Defect(
        'forgotten while a day is asked', 'src/store/catalog_keep.c',
        'if (answer_order_has_forgotten(', 'if (false && answer_order_has_forgotten('),
    'snapshots outlive those who are forgotten': Defect(
        'forgotten while exported', 'src/store/cache_forget.c',
        'snapshots_forget_gone(cache->snapshots)', 'false'),
    # Values
    'what was replaced is shown as what it is now': Defect(
        'absent while read', 'src/model/record.c',
        'return (uint16_t)(member->changes & NODE_VERSION_MAX);', '(void)member;\n\treturn 0;'),
    'all values of a member are one node': Defect(
        'replaced while read', 'src/model/record.c',
        'return (uint16_t)(member->changes & NODE_VERSION_MAX);', '(void)member;\n\treturn 0;'),
    'the kernel is not told of values': Defect(
        'a value by another key', 'src/fs/notifier_kernel.c',
        'expire(notifier, view_field_node(change->customer.slot, before));', ';'),
    'the link to the primary contact keeps its node': Defect(
        'another primary contact', 'src/fs/view.c',
        'return (struct node){ NODE_PRIMARY, slot, 0, (uint16_t)(changes & NODE_VERSION_MAX) };',
        '(void)changes;\n\treturn (struct node){ NODE_PRIMARY, slot, 0, 0 };'),
    'the order of contacts is no change': Defect(
        'contacts in another order', 'src/model/settling.c', '	match_order(&settling);\n', ''),
    'null is nothing': Defect(
        'null and nothing', 'src/model/settling.c',
        'member->type != match->type', 'member_is_directory(member) != member_is_directory(match)'),
    # Times
    'a key that moves raises no time': Defect(
        'times of a key that moves', 'src/store/cache_store.c',
        'record_raise(record, now_ms);', '(void)now_ms;'),
    '.meta is as old as its customer': Defect(
        'times of .meta', 'src/fs/view.c',
        '.changed_ms = entry->stated_ms,', '.changed_ms = entry->customer.changed_ms,'),
    'the time of export/ is not kept': Defect(
        'the time of export', 'src/store/cache.c',
        'snapshots_set_changed_ms(cache->snapshots, strtoll(text, NULL, 10));', ';'),
    # Directories
    'no directory is told of': Defect(
        'a directory of a key that moved', 'src/fs/notifier_kernel.c',
        'expire(notifier, node_of(NODE_DIRECTORY, change->keys[i], ordinal));', ';'),
    'a directory that has gone is not told of': Defect(
        'a directory of a member of another kind', 'src/fs/notifier_kernel.c',
        '''			expire_directory(notifier, change, before->ordinal);
			continue;''', '			continue;'),
    # Keys
    'the kernel is not told of the number of links': Defect(
        'links of a key that moved', 'src/fs/notifier_kernel.c',
        '''	if (change->other.record) {
		expire_values(notifier, &change->other);''', '	if (change->other.record) {'),
    'whoever is evicted leaves no slot': Defect(
        'evicted under a reader', 'src/store/cache_store.c',
        'cache_reserved_slot(cache, key, change->customer.record)', '0'),
    'every change ends every search': Defect(
        'a search and somebody else', 'src/store/cache_search.c',
        'length > TEXT_LOOKED_AT_MAX ||', 'true ||'),
}


def damaged(defect):
    """The text of the file with the defect in it."""
    text = (ROOT / defect.path).read_text()
    assert text.count(defect.right) == 1, \
        f'{defect.path}: has {text.count(defect.right)} times what the defect replaces: ' \
        f'{defect.right}'
    return text.replace(defect.right, defect.wrong)


def commands(build):
    """Of building the program, by what each makes."""
    lines = subprocess.run(['ninja', '-C', build, '-t', 'commands', PROGRAM], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return {match[1]: shlex.split(line) for line in lines
            if (match := re.search(r' -o (\S+) ', line))}


def build_variant(build, defect, directory):
    """The path of the program with the defect."""
    made = commands(build)
    source, thing = directory / pathlib.Path(defect.path).name, directory / 'damaged.o'
    source.write_text(damaged(defect))
    compiling = next(words for words in made.values()
                     if words[-1].endswith('/' + defect.path))
    place = compiling.index('-o')
    # Nothing of the build is touched, the list of what the file includes least of all.
    subprocess.run([*without_dependencies(compiling[:place]), '-w', '-I', str(ROOT / defect.path),
                    '-o', str(thing), '-c', str(source)], cwd=build, check=True)
    linking = list(made[PROGRAM])
    place = linking.index('-o')
    program = directory / 'kapturefs'
    linking[place:place + 2] = ['-o', str(program), str(thing)]
    subprocess.run(linking, cwd=build, check=True)
    # What serves is looked for beside it.
    shutil.copy(pathlib.Path(build, PROGRAM + '-sandbox'), directory)
    return program


def without_dependencies(words):
    kept, is_value = [], False
    for word in words:
        if is_value or word in ('-MD', '-MQ', '-MF'):
            is_value = word in ('-MQ', '-MF')
        else:
            kept.append(word)
    return kept
