"""`make run`: one search from a terminal, with an Airflow of its own that needs no server."""
