"""`python -m services.recognition`."""

from libs.common.web.serve import serve
from services.recognition.app import create_app
from services.recognition.settings import RecognitionSettings

if __name__ == "__main__":
    serve(RecognitionSettings, create_app)
