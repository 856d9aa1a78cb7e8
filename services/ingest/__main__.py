"""`python -m services.ingest`: the service in a process of its own."""

from libs.common.web.serve import serve
from services.ingest.app import create_app
from services.ingest.settings import IngestSettings

if __name__ == "__main__":
    serve(IngestSettings, create_app)
