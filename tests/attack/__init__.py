"""Attacks, each made against the live thing: a page, a store, a spool, a launcher, a command line."""
