"""Cases, ballots, bars, panels, proposals, audits, holds, appeals."""
