"""Objectives: which values are better, what bounds them, and the front of those that nothing beats."""
