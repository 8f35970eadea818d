"""What operators run: fsck, doctor, metrics, the dashboard and the alerts."""
