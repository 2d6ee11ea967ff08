"""What people may ask of the state: read-only, typed, one function a question. Views show what the rules wrote.

Keys and ids are bytes; `governance.events.render` makes a view ready for JSON.
"""
