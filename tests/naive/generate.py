"""Random scenarios by themes: `scenario(seed)` is always the same file.

So many of each hundred seeds belong to each theme.
"""

from . import generate_additions, generate_members, generate_mixed, generate_money, generate_proposals, generate_votes

THEMES = {
    "mixed": (generate_mixed.mixed, 6),
    "court": (generate_votes.court, 6),
    "renewal": (generate_votes.renewal, 6),
    "promotion": (generate_votes.promotion, 6),
    "lapses": (generate_votes.lapses, 5),
    "delegates": (generate_votes.delegates, 5),
    "settlement": (generate_money.settlement, 8),
    "premiums": (generate_money.premiums, 5),
    "insolvency": (generate_money.insolvency, 7),
    "rates": (generate_money.rates, 3),
    "admission": (generate_members.admission, 5),
    "phases": (generate_members.phases, 4),
    "fraud": (generate_members.fraud, 5),
    "crowd": (generate_members.crowd, 2),
    "proposals": (generate_proposals.proposals, 4),
    "odd_params": (generate_proposals.odd_params, 4),
    "joining": (generate_additions.joining, 4),
    "lists": (generate_additions.lists, 3),
    "identities": (generate_additions.identities, 3),
    "questions": (generate_additions.questions, 4),
    "families": (generate_additions.families, 3),
    "villages": (generate_additions.villages, 2),
}


def deck():
    """A hundred names of themes, each spread evenly."""
    places = []
    for order, (name, (_, count)) in enumerate(THEMES.items()):
        places += [((2 * i + 1) / (2 * count), order, name) for i in range(count)]
    return [name for _, _, name in sorted(places)]


DECK = deck()


def theme_of(seed):
    return DECK[seed % len(DECK)]


def scenario(seed):
    """One scenario file, as a list of dicts."""
    build, _ = THEMES[theme_of(seed)]
    return build(seed)
