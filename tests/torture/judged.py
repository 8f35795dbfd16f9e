# SPDX-License-Identifier: MIT
"""What must be seen of a mount after each step: all views agree, none older than it may be."""

import time

import views
from coherent import EXPIRY, Coherent
from people import NUMBERS, SETTLED, place
from values import Broken
from views import Complaint


class Judged(Coherent):
    # How old it may be

    def is_surely_expired(self, key):
        newest = max((one.given for one in self.people.answers_since(0)
                      if one.key == key or one.number and str(one.number) == key[1]), default=0.0)
        return time.monotonic() > newest + self.ttl + EXPIRY

    def raise_floors(self, keys):
        """What can be nothing but the present truth if it is looked at now."""
        if not self.left.is_over():
            return
        for number, moment in self.forced.items():
            if not self.people.was_asked_since(number, moment) and number not in self.forgotten:
                self.text_floor[number] = len(self.people.texts[number]) - 1
        self.forced = {}
        asked = self.asked_about()
        for key in keys:
            if key not in self.absent and not asked & {self.leading(key), self.people.owner(key)} \
                    and self.is_surely_expired(key):
                self.lead_floor[key] = len(self.people.leads[key]) - 1
                number = self.people.owner(key)
                if number:
                    self.text_floor[number] = len(self.people.texts[number]) - 1

    def asked_about(self):
        """Those of whom a question is under way: whoever looks at them is served at once."""
        return {number for key in self.waiting
                for number in (self.leading(key), self.people.owner(key)) if number}

    # What is wrong

    def placed_in_time(self, scene):
        """What is shown is as new as what was shown, or could have been, before."""
        found = []
        for view in scene.views:
            leads = self.people.leads[view.key][self.lead_floor[view.key]:]
            if view.error:
                continue
            if view.number and views.lives_ms(view.meta) != self.ttl * 1000:
                found.append(Complaint(frozenset({view.number}),
                                       f'{place(view.key)}.meta has another ttl: {view.meta}'))
            if view.number not in leads:
                found.append(Complaint(frozenset(leads[-1:]) - {None}, f'{place(view.key)} leads '
                                       f'to {view.number}, not one of {leads}'))
            elif view.number and view.text not in \
                    self.people.texts[view.number][self.text_floor[view.number]:]:
                found.append(Complaint(frozenset({view.number}), f'{place(view.key)}.json is older '
                                       f'than what was seen or must be: {views.brief(view.text)}'))
        return found

    def judge_forgotten(self):
        """Nobody who was forgotten is there until an answer came that was asked for since."""
        if not self.forgotten:
            return
        shown = set(views.listings(self.mounted)['id'])
        if export := views.export(self.mounted):
            shown |= {str(number) for number in export.customers}
        for number, moment in list(self.forgotten.items()):
            if self.people.was_asked_since(number, moment):
                del self.forgotten[number]
            elif str(number) in shown:
                raise Broken(f'{number} was forgotten, not asked for since, and is there again')

    def miscounted_links(self, scene):
        """How many names a file has is how many keys lead to its customer; if all were seen."""
        seen = {(view.key[0], view.key[1]) for view in scene.views}
        listed = {(kind, name) for kind, names in scene.listings.items() for name in names}
        if not listed <= seen:
            return []
        count = {}
        for view in scene.views:
            count[view.number] = count.get(view.number, 0) + 1
        return views.complaints_of_links(scene, count)

    def take_in(self, keys, former, *how):
        try:
            scene = views.take_in(self.mounted, keys, former, self.known_days, *how)
        except OSError as error:
            return None, [Complaint(frozenset(NUMBERS), f'{error.filename}: {error}')]
        found = views.complaints(scene) + self.placed_in_time(scene)
        found += self.miscounted_links(scene)
        if not found:
            found = [complaint for one in self.held for complaint in one.complaints(scene)]
            found += self.wrong_times(scene)
        return scene, found

    def wrong_times(self, scene):
        found = [Complaint(frozenset({view.number}), text) for view in scene.views
                 if view.number for text in self.times.judge(view)]
        if scene.export:
            found += [Complaint(frozenset(), text) for text in self.times.compare_list(
                'export', scene.export.mtime, scene.export.content, True)]
        return found + [Complaint(frozenset(), text) for word, shown in scene.found.items()
                        for text in self.times.judge_search(word, *shown)]

    # After each step

    def check(self, dice, at_once=frozenset(), everything=False):
        """All views agree: at once of some, soon of everybody."""
        self.judge_forgotten()
        keys = [key for key in self.known() if self.may_look(key)]
        if not everything:
            keys = [key for key in keys if dice.random() < 0.6 or key[1] in map(str, at_once)]
        dice.shuffle(keys)
        former = [dice.choice(self.people.texts[number]) for number in NUMBERS]
        with_export, json_first = everything or dice.random() < 0.2, dice.random() < 0.5
        self.agree(keys, at_once, former, with_export, json_first, False)
        self.agree(keys, at_once, former, False, json_first, True)

    def agree(self, keys, at_once, *how):
        """Look until all is right, for as long as something may be wrong."""
        begin = time.monotonic()
        for attempt in range(1000):
            self.raise_floors(keys)
            looked_at = time.monotonic()
            scene, found = self.take_in(keys, *how)
            if not found:
                break
            news = self.people.news_at()
            wrong = [one.text for one in found if one.numbers & at_once]
            # What the looks themselves have brought has until soon.
            if wrong and attempt == 0 and news < begin:
                raise Broken('at once: ' + '\n'.join(wrong))
            late = looked_at - max(begin, news)
            if late > SETTLED:
                raise Broken(f'after {late:.1f} s: ' + '\n'.join(one.text for one in found))
            time.sleep(0.02)
        self.accept(scene)

    def accept(self, scene):
        for view in scene.views:
            if view.number:
                self.times.note(view)
            (self.absent.discard if view.number else self.absent.add)(view.key)
        for word, shown in scene.found.items():
            self.times.note_search(word, *shown)
        if scene.export:
            self.times.note_list('export', scene.export.mtime, scene.export.content)
        self.keep_floors(scene)

    def keep_floors(self, scene):
        """Nothing that is older than this may be shown again."""
        for view in scene.views:
            floor = self.lead_floor[view.key]
            self.lead_floor[view.key] = self.people.leads[view.key].index(view.number, floor)
            if view.number:
                floor = self.text_floor[view.number]
                self.text_floor[view.number] = \
                    self.people.texts[view.number].index(view.text, floor)
