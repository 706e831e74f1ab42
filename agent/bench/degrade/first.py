"""Other first frames: what a clip is held against that should begin with a given image."""

import cv2
import numpy as np

from critic.frames import Picture


def first_shifted(picture: Picture, severity: int) -> Picture:
    """The image moved by 2 to 25 % of the width."""
    share = (0.02, 0.04, 0.08, 0.15, 0.25)[severity - 1]
    return np.roll(picture, round(picture.shape[1] * share), 1)


def first_zoomed(picture: Picture, severity: int) -> Picture:
    """The image enlarged 1.05 to 1.8 times about its centre."""
    height, width = picture.shape[:2]
    zoom = cv2.getRotationMatrix2D((width / 2, height / 2), 0, (1.05, 1.1, 1.2, 1.4, 1.8)[severity - 1])
    return np.asarray(cv2.warpAffine(picture, zoom, (width, height), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def first_mixed(picture: Picture, severity: int) -> Picture:
    """The image turned upside down, mixed in to 20 to 100 %: another picture with the same colours."""
    share = (0.2, 0.4, 0.6, 0.8, 1.0)[severity - 1]
    return np.asarray(picture * (1 - share) + picture[::-1, ::-1] * share + 0.5, np.uint8)


def first_replaced(picture: Picture, other: Picture, severity: int) -> Picture:
    """Another clip's picture takes the image's place from the left, 20 to 100 % of it."""
    height, width = picture.shape[:2]
    out = picture.copy()
    end = round(width * severity / 5)
    out[:, :end] = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA)[:, :end]
    return out
