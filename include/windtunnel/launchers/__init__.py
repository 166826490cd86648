"""Where jobs run. A launcher is chosen by name in the definition."""
