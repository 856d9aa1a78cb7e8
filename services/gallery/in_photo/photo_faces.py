"""The faces found in one photo."""

from libs.common.database.database import Database
from libs.common.errors import NotFound
from libs.common.rights.access import may_view_event
from libs.common.web.tokens import Principal
from services.gallery.photos import repository as photos
from services.gallery.web.views import View


async def photo_faces(photo_id: int, *, principal: Principal, database: Database) -> View:
    """Return the photo's size and boxes. Raises NotFound, also for others' events."""
    async with database.read() as connection:
        photo = await photos.find_photo(connection, photo_id)
        if photo is None or not await may_view_event(connection, principal, photo.event_id):
            raise NotFound("Photo", photo_id)
        faces = await photos.face_boxes(connection, photo, user_id=principal.user_id)
    boxes: list[View] = [
        {
            "top": face.top,
            "left": face.left,
            "width": face.width,
            "height": face.height,
            "matched": face.matched,
            "confidence": face.confidence,
        }
        for face in faces
    ]
    return {"image_width": photo.width, "image_height": photo.height, "boxes": boxes}
