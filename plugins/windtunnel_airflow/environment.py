"""Airflow's settings for one machine, in one place: `make run`, `make ui` and the tests use them."""

from pathlib import Path


def airflow_environment(
    home: Path,
    dags_folder: Path,
    *,
    store: Path | str | None = None,
    port: int = 8080,
    log_ports: tuple[int, int] = (8793, 8794),
    parallelism: int = 8,
) -> dict[str, str]:
    """Environment variables for an Airflow of its own on this machine; must be set before Airflow is imported.

    Args:
        home: its folder (`AIRFLOW_HOME`): database, logs, generated configuration.
        dags_folder: where its DAG files are.
        store: where ledgers go (`WINDTUNNEL_STORE`); by default what the caller's environment says.
        port: of the API server and the user interface, on this machine's loopback address only.
        log_ports: of the workers' and the triggerer's log servers.
        parallelism: tasks at once. SQLite does not bear more than 8 to 16.
    """
    address = f"http://localhost:{port}"
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(parallelism),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(parallelism),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        # Nobody else reaches the loopback address, so nobody needs to log in.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
        # Without the time-out, SQLite gives up with "database is locked" and takes the scheduler with it.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=60",
        # A dead task is noticed after 20 s rather than 300 s.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # A busy machine is slow to answer its own tasks; by default they die of it after 5 s.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    if store is not None:
        settings["WINDTUNNEL_STORE"] = str(store)
    return settings
