"""The probe of an upstream."""
