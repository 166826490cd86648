"""Airflow's own login of the tests' server, with permissions a little finer than the simple manager has by itself."""

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager


class TestAuthManager(SimpleAuthManager):
    """Whoever is called `stranger` may not read the runs of the search `guarded`; nobody may see it in a list."""

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        if user.get_name() == "stranger" and details is not None and details.id == "guarded":
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
