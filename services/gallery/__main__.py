"""`python -m services.gallery`: the service in a process of its own."""

from libs.common.web.serve import serve
from services.gallery.app import create_app
from services.gallery.settings import GallerySettings

if __name__ == "__main__":
    serve(GallerySettings, create_app)
