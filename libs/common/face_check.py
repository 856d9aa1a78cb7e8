"""What ingest asks recognition about a selfie before it takes it, and the answer."""

from pydantic import BaseModel, ConfigDict, Field

FACE_CHECK_PATH = "/internal/face-check"
#: A query parameter: true where nobody is known to ask, who waits behind everybody else then.
ANONYMOUS = "anonymous"
#: A query parameter: true where the picture is only judged, and will be sent again as a selfie.
WILL_RETURN = "will_return"


class FaceVerdict(BaseModel):
    """Whether a picture can serve as a selfie; `reason` is the sentence for the guest when not.

    A usable face comes with its embedding, and the engine that made it, where embeddings are
    what this deployment matches by: the selfie need not be analysed again.
    """

    # Neither an error nor a line of the log tells what a face looks like.
    model_config = ConfigDict(
        frozen=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
        hide_input_in_errors=True,
    )

    valid: bool
    reason: str | None = None
    engine: str | None = None
    embedding: bytes | None = Field(default=None, repr=False)
