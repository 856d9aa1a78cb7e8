"""`python -m services.ingest.ftp`: the door for cameras in a process of its own."""

from libs.common.web.serve import serve
from services.ingest.ftp.app import create_app
from services.ingest.settings import IngestSettings

if __name__ == "__main__":
    serve(IngestSettings, create_app)
