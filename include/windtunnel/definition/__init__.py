"""A search's definition: the model of its YAML file, and reading it with errors that name the field and the mend."""
