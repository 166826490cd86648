"""The results page: a **Search** tab on the DAG run, and a page of all searches in the navigation."""
