"""`python -m services.media`."""

if __name__ == "__main__":
    # Imported here, because every worker process imports this module again when it starts.
    from libs.common.web.serve import serve
    from services.media.app import create_app
    from services.media.settings import MediaSettings

    serve(MediaSettings, create_app)
