"""The demo: seven founders' daemons live through ninety days in a few minutes, and the folders they leave are audited."""
