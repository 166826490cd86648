"""A fleet: one model for each partition of the data. Its partitions, plan, results, accounts, and what is gathered."""
