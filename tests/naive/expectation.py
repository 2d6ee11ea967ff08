"""When a vector holds: its events occur in order, every field it names is equal; other events may come between."""


def is_part_of(expected, event):
    return all(field in event and event[field] == value for field, value in expected.items())


def first_missing(expected, events):
    """None, or the sentence that says which expected event never came (after the ones before it)."""
    position = 0
    for index, wanted in enumerate(expected):
        seen = []
        while position < len(events) and not is_part_of(wanted, events[position]):
            if events[position]["event"] == wanted.get("event"):
                seen.append(events[position])
            position += 1
        if position == len(events):
            return f"expected event {index} never came: {wanted}; passed over: {seen[:4]}"
        position += 1
    return None


def without_texts(expected):
    """What the naive model can be asked for.

    It has its own texts, so it knows no codes of refusals and no reasons of what is void.
    """
    texts = {"refused": ("code", "what", "mend", "hint"), "proposal_void": ("why",)}
    return [
        {name: value for name, value in event.items() if name not in texts.get(event.get("event"), ())}
        for event in expected
    ]
