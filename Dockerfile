# The board in a container: `docker build -t message-board .`; docs/operating.md says how it is run.
FROM python:3.13-slim

WORKDIR /app
COPY requirements.txt ./
RUN grep '^tornado' requirements.txt | pip install --no-cache-dir --disable-pip-version-check -r /dev/stdin 'redis[hiredis]>=6,<9' 'msgpack>=1.1,<2'
COPY server.py LICENSE ./
COPY handlers ./handlers
COPY static ./static
COPY templates ./templates
RUN python -m compileall -q server.py handlers && install -d -o 10001 -g 10001 -m 700 /data

# Posts, and the sessions of a restart: all that outlives a container.
VOLUME /data
ENV STATE_DIRECTORY=/data PYTHONUNBUFFERED=1 PYTHONFAULTHANDLER=1 OPTIONS=""
USER 10001:10001
EXPOSE 3000

CMD ["sh", "-c", "exec python server.py --state=/data/state.json $OPTIONS"]
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s --start-interval=1s CMD ["sh", "-c", "exec python server.py --check-health $OPTIONS"]
