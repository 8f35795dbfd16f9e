# SPDX-License-Identifier: MIT
"""Everything by which a mount shows a customer, looked at together.

What is wrong is told as complaints, each with the numbers of those concerned: whether it is still
right at that moment is for who looks to judge.
"""

import dataclasses
import datetime
import errno
import json
import os
import stat

import expected
from people import DAYS, LEAVES, NAMES, NUMBERS, PLACES, place
from values import Broken

GONE = (errno.ENOENT, errno.ENOTDIR)


@dataclasses.dataclass(frozen=True)
class Complaint:
    numbers: frozenset
    text: str


@dataclasses.dataclass
class Entry:
    content: object     # as of expected.tree()
    names: tuple | None     # of a directory, if it was listed
    inode: int
    mtime: int
    links: int


@dataclasses.dataclass
class View:
    """A customer by one key. Nobody: the number is None."""
    key: tuple
    names: list         # that were looked for
    number: int | None = None
    text: bytes | None = None
    meta: dict = dataclasses.field(default_factory=dict)
    entries: dict = dataclasses.field(default_factory=dict)     # path below the key's: Entry
    times: dict = dataclasses.field(default_factory=dict)       # .json, .meta: (mtime, content)
    error: str = ''
    is_torn: bool = False       # it has changed while it was looked at


def brief(text):
    """A customer in a line."""
    return ' '.join(f'{name}={str(value)[:200 if name == "contacts" else 30]}'
                    for name, value in json.loads(text).items() if name != 'cmId')


def read(path, **more):
    descriptor = os.open(path, os.O_RDONLY, **more)
    try:
        return read_on(descriptor, 0)
    finally:
        os.close(descriptor)


def read_on(descriptor, offset):
    parts = []
    while part := os.pread(descriptor, 1 << 16, offset):
        parts.append(part)
        offset += len(part)
    return b''.join(parts)


def entry_at(path, with_lists):
    status = os.lstat(path)
    names = None
    if stat.S_ISDIR(status.st_mode):
        content = None
        if with_lists:
            names = tuple(sorted(map(os.fsdecode, os.listdir(path))))
    elif stat.S_ISLNK(status.st_mode):
        content = expected.LINK + os.fsdecode(os.readlink(path))
    else:
        content = read(path)
        after = os.lstat(path)
        # Between two looks at one version of it nothing can have changed.
        if after.st_mtime_ns == status.st_mtime_ns and not \
                len(content) == status.st_size == after.st_size:
            raise Broken(f'{path}: {status.st_size} bytes, then {after.st_size}, and read were '
                         f'{len(content)}: {content[:20]} ... {content[-20:]}')
    return Entry(content, names, status.st_ino, status.st_mtime_ns, status.st_nlink)


def read_with_time(path):
    """Both of one moment, or none of the time if there was no such moment."""
    before = os.stat(path)
    content = read(path)
    after = os.stat(path)
    same = (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    return content, after.st_mtime_ns if same and after.st_size == len(content) else None


def entries_below(base, names, with_lists):
    """All that is found by name of what anybody may have, listed or not."""
    entries = {}
    for name in names:
        try:
            entries[name] = entry_at(os.path.join(os.fsencode(base), name), with_lists)
        except OSError as error:
            if error.errno not in GONE:
                raise
    return entries


def look(mount, key, json_first=True, with_lists=False):
    """What is asked for first may be what the others follow from, so its turn is the caller's.

    To list a directory makes the kernel believe in the names in it, and hides what it believed.
    """
    view = View(key, LEAVES if key[0] == 'phone' and not with_lists else NAMES)
    base = str(mount / place(key))

    def look_at_json():
        text, mtime = read_with_time(f'{base}.json')
        view.text = text.removesuffix(b'\n')
        view.number = json.loads(view.text)['id']
        view.times['.json'] = (mtime, view.text)

    def look_at_entries():
        view.entries = entries_below(base, view.names, with_lists)

    def look_at_meta():
        meta, mtime = read_with_time(f'{base}.meta')
        view.times['.meta'] = (mtime, meta)
        view.meta = dict(line.split('=', 1) for line in meta.decode().split())

    try:
        for part in ((look_at_json, look_at_entries, look_at_meta) if json_first else
                     (look_at_entries, look_at_json, look_at_meta)):
            part()
        view.is_torn = any(os.lstat(os.path.join(os.fsencode(base), name)).st_mtime_ns
                           != entry.mtime for name, entry in view.entries.items())
    except ValueError as error:
        view.text, view.error = None, f'.json cannot be read: {error}'
    except OSError as error:
        view.error = '' if error.errno in GONE and view.number is None else \
            f'{error.strerror}: {error.filename!r}'
    return view


def difference(view):
    """What the files of a view show that its .json does not, and the other way round."""
    tree = expected.customer_tree(view.text)
    right = {name: tree[name] for name in view.names if name in tree}
    shown = {name: entry.content for name, entry in view.entries.items() if name}
    wrong = sorted(name for name in right.keys() | shown.keys()
                   if right.get(name, 0) != shown.get(name, 0))
    for name, entry in view.entries.items():
        if entry.names is not None:
            head = name + b'/' if name else b''
            below = tuple(sorted(os.fsdecode(other[len(head):]) for other in tree
                                 if other.startswith(head) and b'/' not in other[len(head):]))
            if entry.names != below:
                wrong.append(f'{os.fsdecode(name)}/ lists {entry.names}, not {below}')
    return [(name, repr(shown.get(name, 'ENOENT'))[:60], repr(right.get(name, 'ENOENT'))[:60])
            if isinstance(name, bytes) else name for name in wrong]


def lives_ms(meta):
    fetched, expires = (datetime.datetime.fromisoformat(meta[name])
                        for name in ('fetched', 'expires'))
    return (expires - fetched) // datetime.timedelta(milliseconds=1)


def complaints_of_view(view):
    numbers = frozenset({view.number} - {None})
    if view.error:
        return [Complaint(numbers, f'{place(view.key)}: {view.error}')]
    if view.is_torn:
        return [Complaint(frozenset(), f'{place(view.key)}: changed while it was looked at')]
    if view.number is None:
        return []
    found = [f'files and .json differ: {difference(view)[:4]}'] if difference(view) else []
    if view.meta.get('id') != str(view.number):
        found.append(f'.meta has {view.meta}, .json the id {view.number}')
    return [Complaint(numbers, f'{place(view.key)}: {text}') for text in found]


def complaints_of_pair(one, other):
    found = []
    if one.text != other.text:
        found.append(f'.json differs: {brief(one.text)} and {brief(other.text)}')
    for name in one.entries.keys() & other.entries.keys():
        mine, its = one.entries[name], other.entries[name]
        if isinstance(mine.content, bytes) and isinstance(its.content, bytes) and \
                (mine.inode, mine.mtime, mine.links) != (its.inode, its.mtime, its.links):
            found.append(f'{name}: inode, mtime, links {(mine.inode, mine.mtime, mine.links)} and '
                         f'{(its.inode, its.mtime, its.links)}')
    return [Complaint(frozenset({one.number}), f'{place(one.key)}, {place(other.key)}: {text}')
            for text in found]


@dataclasses.dataclass
class Scene:
    """All that was looked at in one go."""
    views: list
    listings: dict      # kind: names
    export: object      # an Export; None: not looked at, or all snapshots are in use
    found: dict         # word: (names of search/<word>, its time)
    days: dict          # day: (listed, found by name)
    with_lists: bool    # of directories of customers


def listings(mount):
    return {kind: set(os.listdir(mount / directory)) for kind, directory in PLACES.items()}


@dataclasses.dataclass
class Export:
    customers: dict     # number: text
    content: bytes
    mtime: int | None


def export(mount):
    """None if all snapshots are in use."""
    try:
        content, mtime = read_with_time(str(mount / 'export/customers.ndjson'))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return None
        raise
    return Export({json.loads(line)['id']: line for line in content.splitlines()}, content, mtime)


def search(mount, word):
    time = os.stat(mount / 'search' / word).st_mtime_ns
    names = set(os.listdir(mount / 'search' / word))
    by_name = {str(number) for number in NUMBERS
               if os.path.lexists(mount / 'search' / word / str(number))}
    shown = names if names == by_name else {f'{names} listed, {by_name} found by name'}
    return shown, time


def day(mount, name):
    """Whom it lists, and who is found in it by name: first by following the link."""
    paths = {str(number): mount / 'by-date' / name / str(number) for number in NUMBERS}
    by_name = {number for number, path in paths.items()
               if os.path.exists(path) or os.path.lexists(path)}
    return set(os.listdir(mount / 'by-date' / name)), by_name


def words_in(text):
    """Of the short values of a customer."""
    details = json.loads(text)
    return [details['city'], details['contacts'][-1]['contactPerson']]


def take_in(mount, keys, former, known_days, with_export, json_first, with_lists):
    """The scene; `former`: texts that were true once, whose words may lead nowhere now."""
    views = [look(mount, key, json_first, with_lists) for key in keys]
    words = {word for view in views if view.text for word in words_in(view.text)}
    words |= {word for text in former for word in words_in(text)}
    return Scene(views, listings(mount), export(mount) if with_export else None,
                 {word: search(mount, word) for word in sorted(words)},
                 {name: day(mount, name) for name in DAYS if name in known_days}, with_lists)


def complaints_of_search(scene):
    found = []
    texts = {view.number: view.text for view in scene.views if view.text}
    for word, (names, _) in scene.found.items():
        for number, text in texts.items():
            if (word.encode() in text) != (str(number) in names):
                found.append(Complaint(frozenset({number}),
                                       f'search/{word} shows {names}, and {number} has '
                                       f'{"it" if word.encode() in text else "no such word"}'))
        if wrong := {name for name in names if not name.isdigit()}:
            found.append(Complaint(frozenset(NUMBERS), f'search/{word}: {wrong}'))
    return found


def complaints_of_lists(scene):
    found = []
    for view in scene.views:
        is_listed = view.key[1] in scene.listings[view.key[0]]
        if is_listed != (view.number is not None) and not view.error:
            found.append(Complaint(frozenset({view.number} - {None}),
                                   f'{place(view.key)} leads to {view.number}, and is '
                                   f'{"" if is_listed else "not "}listed'))
        if view.text and scene.export and \
                scene.export.customers.get(view.number) != view.text:
            # Soon will do: where four are being read there is no room for another state of it.
            exported = scene.export.customers.get(view.number, b'{}')
            found.append(Complaint(frozenset(), f'{place(view.key)}.json differs from export: '
                                   f'{brief(exported)}'))
    if scene.export and \
            scene.listings['id'] != {str(number) for number in scene.export.customers}:
        found.append(Complaint(frozenset(), f'by-id lists {scene.listings["id"]}, export '
                               f'{sorted(scene.export.customers)}'))
    for name, (listed, by_name) in scene.days.items():
        if listed != by_name:
            found.append(Complaint(frozenset(), f'by-date/{name}: {listed} listed, {by_name} '
                                   f'found by name'))
    return found


def complaints_of_links(scene, keys_of):
    """How many names a file has is how many keys lead to its customer."""
    found = []
    for view in scene.views:
        entry = view.entries.get(b'name')
        count = keys_of.get(view.number)
        if entry and count and entry.links != count:
            found.append(Complaint(frozenset({view.number}), f'{place(view.key)}/name: '
                                   f'{entry.links} links, and {count} keys'))
    return found


def complaints(scene):
    found = [one for view in scene.views for one in complaints_of_view(view)]
    firsts = {}
    for view in scene.views:
        if view.number is not None and not view.error:
            first = firsts.setdefault(view.number, view)
            found += complaints_of_pair(first, view)
    return found + complaints_of_lists(scene) + complaints_of_search(scene)
