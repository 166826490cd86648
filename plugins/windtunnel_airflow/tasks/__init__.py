"""The DAG's tasks, by the part of the DAG that they make up."""
