# Airflow with Windtunnel, in the locked versions: docker build --tag windtunnel-airflow .
# Its Python and trainer/Dockerfile's must be of the same version.

FROM python:3.11-slim-bookworm AS wheel
WORKDIR /source
COPY requirements.lock scripts/locked.py ./
RUN python locked.py build <requirements.lock >locked.txt \
 && pip install --quiet --root-user-action ignore --no-deps --require-hashes --requirement locked.txt
COPY . ./
RUN pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheel .

FROM apache/airflow:3.3.2-python3.11
COPY requirements.lock scripts/locked.py /opt/windtunnel/
RUN python /opt/windtunnel/locked.py server,report </opt/windtunnel/requirements.lock >/tmp/locked.txt \
 && pip install --quiet --no-cache-dir --no-deps --require-hashes --requirement /tmp/locked.txt
COPY --from=wheel /wheel /tmp/wheel
RUN pip install --quiet --no-cache-dir --no-deps /tmp/wheel/*.whl && pip check
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 include/pod_template.yaml /opt/airflow/include/
COPY --chown=airflow:0 include/searches /opt/airflow/include/searches
# Volumes that are mounted here take over the owner, so that the trainer's image and this one may write to them.
USER root
RUN for folder in kubernetes logs secrets spool; do mkdir -p /opt/airflow/$folder && chown 50000:0 /opt/airflow/$folder \
 && chmod 0770 /opt/airflow/$folder; done
USER 50000
