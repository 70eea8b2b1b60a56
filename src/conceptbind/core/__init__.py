"""What every room stands on: errors, types, whole files, ownership, limits, text, records."""
