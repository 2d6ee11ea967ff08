"""How the screens look.

After a wanted change: pytest tests/tui/test_snapshots.py --snapshot-update, then look at the SVG files.
"""

import pytest

SCREENS = {
    "home": [],
    "claims": ["2"],
    "ballots": ["3"],
    "payouts": ["4"],
    "blocks": ["5"],
    "block": ["5", "enter"],
    "help": ["question_mark"],
    "case": ["enter"],
    "document": ["enter", "o"],
    "choice": ["enter", "v"],
    "choice-made": ["enter", "v", "a"],
    "review": ["enter", "o", "escape", "v", "a", "enter", "enter"],
    "receipt": ["enter", "v", "d", "enter", "s", "BLOCK"],
}
NARROW = ("home", "claims", "case", "choice-made", "review")


@pytest.fixture
def looks_as_before(snap_compare, make_app, node, settle):
    """Return a check of one screen against its picture."""

    def check(keys, size=(110, 34), app=None):
        async def steps(pilot):
            await settle(pilot)
            for key in keys:
                if key == "BLOCK":
                    node.finish_block()
                    await settle(pilot, lambda: pilot.app.memory.receipts[0].state == "final")
                else:
                    await pilot.press(key)
                await settle(pilot)
            pilot.app.clear_notifications()
            await settle(pilot)

        return snap_compare(app or make_app(), terminal_size=size, run_before=steps)

    return check


@pytest.fixture(autouse=True)
def fixed_folder(monkeypatch):
    """Show the document's place without the temporary folder of this run."""
    monkeypatch.setattr("tui.screens.document.DocumentScreen.place", lambda self: "/data/documents/" + self._path.name)


@pytest.mark.parametrize("name", SCREENS)
def test_each_screen_looks_as_before(name, looks_as_before):
    assert looks_as_before(SCREENS[name])


@pytest.mark.parametrize("name", NARROW)
def test_screens_fit_into_80_by_24(name, looks_as_before):
    assert looks_as_before(SCREENS[name], size=(80, 24))


@pytest.mark.parametrize("theme", ["mutua-contrast", "mutua-light"])
def test_the_other_themes_look_as_before(theme, looks_as_before, make_app):
    assert looks_as_before([], app=make_app(theme=theme))


def test_no_color_leaves_signs_and_words(looks_as_before, make_app, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert looks_as_before([])


def test_a_node_that_is_off_looks_as_before(looks_as_before, node):
    node.is_off = True
    assert looks_as_before([])


def test_a_syncing_node_shows_how_far_it_is(looks_as_before, node):
    node.data["status"].update(is_syncing=True, sync_target=400, needs_me=0)
    node.data["needs_me"] = []
    assert looks_as_before([])
