"""Our workloads: each module says how one kind of model is prepared, trained and verified."""
