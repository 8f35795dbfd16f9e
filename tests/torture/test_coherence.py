# SPDX-License-Identifier: MIT
"""One customer, one truth: random histories, after each step of which all views must agree.

A history is a list of steps that follows from its seed alone. COHERENCE_EXAMPLES says how many,
COHERENCE_SEED where to begin; a failure tells the seed of its history and the steps, the least that
still fail if COHERENCE_SHRINK is set.
"""

import concurrent.futures
import multiprocessing
import os
import random
import re
import tempfile
import traceback

import pytest

from people import DAYS, KEYS, NUMBERS, People
from points import POINTS
from steps import Steps

EXAMPLES = int(os.environ.get('COHERENCE_EXAMPLES', '60'))
SEED = int(os.environ.get('COHERENCE_SEED', '1'))
STEPS = 20
WORKERS = 6     # they mostly wait
TTLS = [300, 300, 300, 3, 3, 1]
# With what something is done.
def numbers(dice):
    return dice.choice([551, 551, *NUMBERS])


def changes(dice):
    return dice.choice(sorted(People.CHANGES))


def keys(dice):
    return dice.choice(KEYS)


def moving_keys(dice):
    return dice.choice(KEYS[len(NUMBERS):])


def days(dice):
    return dice.choice(DAYS)


def any_of(*values):
    return lambda dice: dice.choice(values)


places_in_list = any_of(*range(12))

# What is done: how often, and with what.
ACTIONS = {
    'change': (4, numbers, changes),
    'move': (1, moving_keys, any_of(*NUMBERS, None)),
    'go_or_return': (1, numbers),
    'change_day': (1, days, numbers),
    'look': (4, keys),
    'look_first': (4, numbers, places_in_list),
    'refresh': (4, keys),
    'forget': (2, keys),
    'fail_to_refresh': (1, keys),
    'look_in_vain': (1, keys),
    'wait_for_the_left': (1,),
    'refresh_day': (1, days),
    'list_day': (1, days),
    'expire': (1,),
    'reload': (1, any_of(1, 3, 300)),
    'remount': (1, any_of(False, False, True)),
    'hold': (2, keys, any_of(True, True, False)),
    'release_all': (2,),
    'open': (3, keys, any_of(b'name', b'essay', b'obj', b'obj/k', b'.json', b'extra')),
    'open_directory': (3, keys, any_of(b'', b'contacts', b'obj')),
    'read_on': (4,),
    'come_by_another_key': (6, numbers, changes, places_in_list),
    'change_and_refresh': (6, numbers, changes, keys),
    'move_and_refresh': (3, moving_keys, any_of(*NUMBERS, None)),
    'change_and_refresh_day': (2, days, numbers),
    'change_and_fail': (1, numbers, changes, keys, keys, any_of(True, False)),
    'change_and_expire': (2, numbers, changes, keys),
    'change_and_reload': (1, numbers, changes, keys),
    'forget_while_asked': (1, numbers, places_in_list, keys),
    'replace_while_read': (0.5, numbers, keys),
    'absent_while_read': (0.5, numbers, keys, moving_keys),
    'forget_while_day_is_asked': (0.5, numbers, days),
    'open_export': (1,),
    'read_export_and_forget': (0.3, numbers, places_in_list),
    'reload_without_staleness': (0.5, keys),
}
OF_THE_API = ('change', 'move', 'go_or_return', 'change_day')


def history_of(seed):
    """(ttl, steps): a step is what is done, with what, and a seed of how it is looked at."""
    dice = random.Random(f'history {seed}')
    steps = [('look', (key,), dice.random()) for key in dice.sample(KEYS, 4)]
    for _ in range(STEPS):
        name = dice.choices(list(ACTIONS), [often for often, *_ in ACTIONS.values()])[0]
        steps.append((name, tuple(chosen(dice) for chosen in ACTIONS[name][1:]), dice.random()))
    return dice.choice(TTLS), steps


def take(coherent, step):
    """Without a seed, everything is looked at after it."""
    name, arguments, seed = step
    dice = random.Random(seed or 0)
    result = getattr(coherent.people if name in OF_THE_API else coherent, name)(*arguments)
    if name not in OF_THE_API or seed and dice.random() < 0.3:
        coherent.check(dice, at_once=result if isinstance(result, frozenset) else frozenset(),
                       everything=seed is None or dice.random() < 0.3)


def play(ttl, steps, **options):
    """What went wrong, at which step; or nothing."""
    with tempfile.TemporaryDirectory(prefix='kapturefs-coherence-') as directory:
        coherent = Steps(directory, ttl, **options)
        place = -1
        try:
            for place, step in enumerate(steps):
                take(coherent, step)
        except Exception:
            return place, traceback.format_exc(limit=-3)
        finally:
            coherent.close()
    return None


def play_point(name):
    ttl, options, steps = POINTS[name]
    return name, play(ttl, [(step[0], step[1:], None) for step in steps], **options)


def play_seed(seed):
    return seed, play(*history_of(seed))


def sort_of(wrong):
    """What kind of failure it is: the first words of it that name nobody."""
    if not wrong:
        return None
    message = wrong[1].split('values.Broken: ')[-1]
    return re.findall(r"(?<![\w/.@'])[a-z]{2,}(?![\w/.@'])", message)[:4]


def shrink(ttl, steps, wrong):
    """Fewer steps that fail in the same way."""
    place, _ = wrong
    steps = steps[:place + 1]
    size = max(1, len(steps) // 2)
    while size:
        for begin in range(0, len(steps), size):
            fewer = steps[:begin] + steps[begin + size:]
            if len(fewer) < len(steps) and sort_of(play(ttl, fewer)) == sort_of(wrong):
                steps = fewer
                break
        else:
            size //= 2
    return steps


def played(call, arguments):
    """(argument, what went wrong) of each, in a process of its own, several at a time."""
    context = multiprocessing.get_context('fork')
    with concurrent.futures.ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        yield from pool.map(call, arguments)


def report(seed, wrong):
    ttl, steps = history_of(seed)
    place, trace = wrong
    steps = steps[:place + 1]
    if 'COHERENCE_SHRINK' in os.environ:
        steps = shrink(ttl, steps, wrong)
        trace = (play(ttl, steps) or (0, 'not again\n' + trace))[1]
    told = '\n'.join(f'  {name}{arguments}' for name, arguments, _ in steps)
    return f'COHERENCE_SEED={seed} COHERENCE_EXAMPLES=1: with ttl {ttl}\n{told}\n{trace}'


@pytest.fixture(scope='module')
def points(request):
    """All that are asked for, at once."""
    names = [item.callspec.params['name'] for item in request.session.items
             if 'points' in item.fixturenames]
    return dict(played(play_point, names))


@pytest.mark.parametrize('name', POINTS)
def test_what_was_wrong_once_is_right(points, name):
    wrong = points[name]
    assert not wrong, f'{POINTS[name][2][wrong[0]]}\n{wrong[1]}'


def test_all_views_agree_after_every_step_of_every_history():
    seeds = range(SEED, SEED + EXAMPLES)
    wrong = [report(seed, wrong) for seed, wrong in played(play_seed, seeds) if wrong]
    assert not wrong, f'{len(wrong)} of {EXAMPLES}\n' + '\n'.join(wrong[:3])
