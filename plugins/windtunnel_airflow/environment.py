"""Airflow's settings for one machine, in one place: `make run`, `make ui` and the tests use them."""

from pathlib import Path

from windtunnel_airflow.home import USER, passwords_file

HOSTS = "WINDTUNNEL_HOSTS"  # names the hosts that the API server answers to; without it, to all


def airflow_environment(
    home: Path,
    dags_folder: Path,
    *,
    store: Path | str | None = None,
    port: int = 8080,
    parallelism: int = 8,
) -> dict[str, str]:
    """Environment variables for an Airflow of its own on this machine; must be set before Airflow is imported.

    Args:
        home: its folder (`AIRFLOW_HOME`): database, logs, generated configuration.
        dags_folder: where its DAG files are.
        store: where ledgers go (`WINDTUNNEL_STORE`); by default what the caller's environment says.
        port: of the API server and the user interface, on this machine's loopback address only.
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
        # The loopback address is not private: other users of this machine reach it, and so do web pages by the browser.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file(home)),
        HOSTS: f"localhost:{port},127.0.0.1:{port},[::1]:{port}",
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
        # No logs are served, since all parts read the same files. Only root may listen on this port instead.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "1",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    if store is not None:
        settings["WINDTUNNEL_STORE"] = str(store)
    return settings
