"""What it costs to run ten thousand short trials: ours through Airflow, Ray Tune, and Optuna's parallel workers."""
