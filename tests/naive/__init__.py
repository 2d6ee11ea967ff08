"""A second, slow and simple reading of the rules, written from the rules' text alone; see READINGS.md."""
