"""The attacks, one file each. `STUDIES` names them in the order of rules §13."""

from __future__ import annotations

from governance.simulation.laboratory.attackers import (
    breakers,
    deny,
    friends,
    join,
    ring,
    silence,
    split,
    swing,
    sybils,
    washers,
    whale,
)
from governance.simulation.laboratory.study import Study

STUDIES: dict[str, Study] = {
    module.STUDY.name: module.STUDY
    for module in (deny, ring, silence, swing, breakers, sybils, split, friends, whale, join, washers)
}
