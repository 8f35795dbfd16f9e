# SPDX-License-Identifier: MIT
"""When each name of a mount was last changed: never earlier than before, and only for a reason."""

import dataclasses
import json

import expected
from people import place
from values import Broken


JSON = b'.json'


@dataclasses.dataclass
class Seen:
    mtime: int
    inode: int
    number: int
    content: object
    text: bytes
    log: int            # how many answers there were by then
    forgets: int


def content_of(entries, name):
    """Of a directory, all that is below it."""
    content = entries[name].content
    if content is not None:
        return content
    head = name + b'/' if name else b''
    return tuple(sorted((other, entries[other].content) for other in entries
                        if other.startswith(head) and other != name))


def told_by(text, name):
    """The same by what the API sent, and what files do not show: null, the order of contacts."""
    if name == JSON:
        return text
    tree = expected.customer_tree(text.replace(b': null', b': "null"'))
    if name not in tree and name:
        return None
    if name and tree[name] is not None:
        return tree[name]
    head = name + b'/' if name else b''
    order = [contact['id'] for contact in json.loads(text)['contacts']]
    return (tuple(sorted((other, value) for other, value in tree.items()
                         if other.startswith(head) and other != name)),
            tuple(order) if name in (b'', b'contacts') else ())


class Times:
    """judge() tells what is wrong with the times of what is seen now, note() remembers it.

    A time that goes back is wrong at every moment. What else is wrong may be so for a moment only.
    """

    def __init__(self, people):
        self.people = people
        self.seen = {}          # (key, name): Seen
        self.lists = {}         # path: (mtime, content, rules)
        self.searches = {}      # path: (who was ever shown, answers that may concern them)
        self.forgets = 0
        self.rules = 0          # how often SIGHUP has changed any

    def remounted(self):
        """What is searched for is not kept; it may be as new as the last change of anybody. And
        whether the rules are those of before is for the new mount alone to know."""
        self.searches.clear()
        self.rules += 1

    def forgotten(self):
        self.forgets += 1

    # Below the keys

    def seen_in(self, view):
        """Names and what they are now."""
        log = self.people.settled_answers()
        for name, entry in view.entries.items():
            yield name, Seen(entry.mtime, entry.inode, view.number, content_of(view.entries, name),
                             view.text, log, self.forgets)
        mtime, content = view.times['.json']
        if mtime is not None:
            yield JSON, Seen(mtime, 0, view.number, content, view.text, log, self.forgets)

    def judge(self, view):
        wrong = [text for name, now in self.seen_in(view) if (view.key, name) in self.seen
                 and (text := self.compare(view, name, self.seen[view.key, name], now))]
        mtime, content = view.times['.meta']
        return wrong + self.compare_list(f'{place(view.key)}.meta', mtime, content, True)

    def note(self, view):
        for name, now in self.seen_in(view):
            self.seen[view.key, name] = now
        self.note_list(f'{place(view.key)}.meta', *view.times['.meta'])

    def compare(self, view, name, before, now):
        path = place(view.key) + (name if name == JSON else b'/' + name).decode()
        if now.mtime < before.mtime and (not name or not self.led_nowhere(view.key, before)):
            raise Broken(f'{path}: the time goes back from {before.mtime} ({before.number}) to '
                         f'{now.mtime} ({now.number})')
        if now.content != before.content and now.mtime == before.mtime:
            return (f'{path}: changed with one time, {now.mtime}: {before.content!r:.200} and '
                    f'{now.content!r:.200}')
        if now.content == before.content and \
                (now.mtime, now.inode) != (before.mtime, before.inode) and \
                not self.has_reason(view, name, before):
            return (f'{path}: unchanged, with time and inode {before.mtime}, {before.inode}, then '
                    f'{now.mtime}, {now.inode}')
        return None

    def led_nowhere(self, key, before):
        """A key that did, if only for a moment, raises no time but that of its own directory."""
        return before.forgets != self.forgets or any(
            one.number is None and one.key in (key, ('id', str(before.number)))
            for one in self.people.answers_since(before.log))

    def has_reason(self, view, name, before):
        """Whether anything was answered since that may have changed it, if only for a moment."""
        if before.number != view.number or before.forgets != self.forgets:
            return True
        keys = {key for key, leads in self.people.leads.items() if view.number in leads}
        led = {}
        for place_in_log, one in enumerate(self.people.answers_since(0)):
            was = led.get(one.key)
            led[one.key] = one.number
            if place_in_log < before.log:
                continue
            if one.key in keys and one.number != view.number:
                return True     # it has gone, or a key of it has
            if one.number == view.number and (
                    was not in (None, view.number) or one.key == view.key and was is None
                    or told_by(one.text, name) != told_by(before.text, name)):
                return True
        return False

    # Other names

    def compare_list(self, path, mtime, content, says_all):
        """Of a name its content says whether it has changed; says_all: and nothing else does."""
        if path not in self.lists or mtime is None:
            return []
        before = self.lists[path]
        if mtime < before[0]:
            raise Broken(f'{path}: the time goes back from {before[0]} to {mtime}')
        if content != before[1] and mtime == before[0]:
            return [f'{path}: changed with one time, {mtime}: {before[1]!r:.400} and '
                    f'{content!r:.400}']
        if says_all and (content, self.reasons(path)) == before[1:] and mtime != before[0]:
            return [f'{path}: unchanged, with time {before[0]}, then {mtime}']
        return []

    def note_list(self, path, mtime, content):
        if mtime is not None:
            self.lists[path] = (mtime, content, self.reasons(path))

    def reasons(self, path):
        """What may have happened to it, though its content is what it was."""
        return self.rules if path.endswith('.meta') else \
            (self.forgets, len(self.people.answers_since(0)))

    def concerned(self, path, word, names, answers):
        """Who was ever shown by a search, and how many answers may be of one of them."""
        seen = self.searches.get(path, (set(), 0))[0] | names
        return seen, self.forgets + sum(
            str(one.number) in seen or one.number is None or word.encode() in one.text
            for one in self.people.answers_since(0)[:answers])

    def judge_search(self, word, names, mtime):
        """It gets no newer by what happens to those whom it neither shows nor has shown."""
        path = f'search/{word}'
        now = self.concerned(path, word, names, None)
        if names and self.searches.get(path) == now and mtime != self.lists[path][0]:
            return [f'{path}: shows {names}, of whom nothing came, with time '
                    f'{self.lists[path][0]}, then {mtime}']
        return self.compare_list(path, mtime, sorted(names), False)

    def note_search(self, word, names, mtime):
        path = f'search/{word}'
        self.searches[path] = self.concerned(path, word, names, self.people.settled_answers())
        self.note_list(path, mtime, sorted(names))
