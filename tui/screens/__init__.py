"""The places of the terminal UI and the steps of a ballot."""
