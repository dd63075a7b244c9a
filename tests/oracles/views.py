"""The image as an amplifier reads it: amplifier at the lower left."""


def view(image, amp):
    """View of the image with the amplifier (0 to 3 for A to D) at the lower left."""
    image = image[::-1] if amp in (0, 1) else image
    return image[:, ::-1] if amp in (1, 3) else image
