"""Bridges to other people's formats and programs. Each maps to plain frozen values; none decides a rule."""
