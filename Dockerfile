# A worker's image: the line, its environment and its software renderer. With the NVIDIA runtime the same image uses
# the GPU. Build: docker build -t packline .
# Run:   docker run -e PREFECT_API_URL=http://prefect:4200/api -v /data/catalogs:/data packline
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libegl1 libgl1 libopengl0 libgl1-mesa-dri assimp-utils fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir uv

# no root: a 3D file from outside is read by several parsers
RUN useradd --create-home --uid 1000 packline
WORKDIR /app
RUN uv venv /opt/venv
ENV VIRTUAL_ENV=/opt/venv \
    PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1 \
    PREFECT_LOGGING_EXTRA_LOGGERS=packline,tasks,flows,scoring

# the packages change seldom and are large: a layer of their own
COPY requirements.lock ./
RUN uv pip sync --no-cache requirements.lock

COPY pyproject.toml prefect.yaml ./
COPY packline packline
COPY scoring scoring
COPY tasks tasks
COPY flows flows
COPY assets assets
COPY catalogs catalogs
RUN uv pip install --no-cache --no-deps --no-build-isolation -e . && chown -R packline /app

USER packline
# one worker a GPU: CUDA_VISIBLE_DEVICES names it, --limit 1 keeps a second run off it
CMD ["prefect", "worker", "start", "--pool", "packline", "--type", "process", "--limit", "1"]
