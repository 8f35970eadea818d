"""The console as people use it: Debian's Chromium, driven, against the real API."""
