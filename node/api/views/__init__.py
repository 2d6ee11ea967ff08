"""What the local API says, as types: one frozen struct for each answer and request, shared by daemon, CLI and screens.

Ids and keys are hex, amounts are minor units of the co-op's currency, times are block heights unless a name says `_ms`.
Unknown fields are passed over; a missing field or one of another type is one error, `answer_shape`.
Nothing here imports more than msgspec.
"""
