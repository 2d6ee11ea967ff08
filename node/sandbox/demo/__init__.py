"""The demo: seven founders' daemons run ninety days in a few minutes, and their folders are audited afterwards."""
