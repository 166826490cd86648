# Airflow with Windtunnel, in the locked versions: docker build --tag windtunnel-airflow .
# Its Python and trainer/Dockerfile's must be of the same version.

FROM python:3.11-slim-bookworm AS wheels
WORKDIR /source
COPY requirements.lock ./
RUN pip install --quiet --root-user-action ignore --constraint requirements.lock hatchling
# A wheel without code brings the dependencies, so that a change of the code does not install them again.
COPY pyproject.toml ./
RUN mkdir -p include/windtunnel plugins/windtunnel_airflow trainer && touch README.md LICENSE \
 && pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels/empty .
COPY . ./
RUN pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels/whole .

FROM apache/airflow:3.3.2-python3.11
COPY requirements.lock /opt/windtunnel/
COPY --from=wheels /wheels/empty /tmp/wheels
RUN pip install --quiet --no-cache-dir --constraint /opt/windtunnel/requirements.lock "$(ls /tmp/wheels/*.whl)[server,report]"
COPY --from=wheels /wheels/whole /tmp/whole
RUN pip install --quiet --no-cache-dir --no-deps --force-reinstall /tmp/whole/*.whl && pip check
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 include/pod_template.yaml /opt/airflow/include/
COPY --chown=airflow:0 include/searches /opt/airflow/include/searches
# Volumes that are mounted here take over the owner, so that the trainer's image and this one may write to them.
USER root
RUN for folder in kubernetes logs secrets spool; do mkdir -p /opt/airflow/$folder && chown 50000:0 /opt/airflow/$folder \
 && chmod 0770 /opt/airflow/$folder; done
USER 50000
