"""Files with more than one picture, and the contact sheets that are to be seen of them."""

import struct
from collections.abc import Iterator, Sequence

from PIL import Image

from tests.hostile import drawing
from tests.hostile.cases import Case, Outcome
from tests.hostile.containers import (
    Frame,
    after_start,
    apng,
    gamma,
    gif,
    multi_picture,
    segment,
    webp,
    with_still,
)

SIZE = (96, 64)
SCENE = drawing.scene(SIZE)
FULL = [Frame(drawing.scene(SIZE, turn).convert("RGBA")) for turn in range(0, 200, 40)]


def cases() -> Iterator[Case]:
    """Make them all."""
    yield from _composed()
    yield from _counted()
    yield from _stills_for_others()
    yield from _multi_picture()


def played(frames: Sequence[Frame], *, cleared: int, restored: int) -> list[Image.Image]:
    """Play an animation with transparency, each screen shown on white."""
    screen = Image.new("RGBA", SIZE)
    shown = []
    for frame in frames:
        before = screen.copy()
        place = (frame.left, frame.top)
        if frame.blends:
            screen.alpha_composite(frame.image.convert("RGBA"), place)
        else:
            screen.paste(frame.image.convert("RGBA"), place)
        shown.append(drawing.on_white(screen))
        if frame.leaves == restored:
            screen = before
        elif frame.leaves == cleared:
            screen.paste((0, 0, 0, 0), (*place, *_corner(frame)))
    return shown


def _corner(frame: Frame) -> tuple[int, int]:
    return frame.left + frame.image.width, frame.top + frame.image.height


def _composed() -> Iterator[Case]:
    """Frames that paint a part of the screen and leave it in every way."""
    for leaves in range(3):
        for blends in range(2):
            frames = [Frame(drawing.veiled(SIZE), 0, 0, leaves, blends)]
            frames += [
                Frame(drawing.veiled((40, 30)), 8 * step, 6 * step, leaves, blends)
                for step in range(1, 5)
            ]
            sheet = drawing.contact_sheet(played(frames, cleared=1, restored=2))
            yield Case(
                f"png frames leave {leaves} blend {blends}", apng(SIZE, frames), "shown", sheet
            )
            if leaves < 2:
                sheet = drawing.contact_sheet(played(frames, cleared=1, restored=9))
                data = webp(SIZE, frames, b"\xff\0\0\xff")
                yield Case(f"webp frames leave {leaves} blend {blends}", data, "shown", sheet)
    for leaves in range(5):
        frames = [Frame(SCENE, 0, 0, leaves, 1)]
        frames += [
            Frame(drawing.hiding((40, 30)), 8 * step, 6 * step, leaves, 1) for step in range(1, 5)
        ]
        frames.append(Frame(drawing.decoy((20, 20)), 40, 20, 1, 1))
        restored = leaves if leaves in (3, 4) else 3
        sheet = drawing.contact_sheet(played(frames, cleared=2, restored=restored))
        yield Case(f"gif frames leave {leaves}", gif(SIZE, frames), "shown", sheet)
    outside = [Frame(SCENE), Frame(drawing.decoy((40, 30)), 80, 50)]
    cut = [SCENE, SCENE.copy()]
    cut[1].paste(outside[1].image, (80, 50))
    yield Case(
        "gif frame beyond the screen", gif(SIZE, outside), "shown", drawing.contact_sheet(cut)
    )
    small = [Frame(drawing.scene((40, 30)), 20, 10)]
    shown = Image.new("RGB", SIZE, "white")
    shown.paste(small[0].image, (20, 10))
    yield Case("gif frame within the screen", gif(SIZE, small), "shown", shown)
    indexed = [
        drawing.scene(SIZE, turn).quantize(64, method=Image.Quantize.FASTOCTREE) for turn in (0, 9)
    ]
    indexed[1].putpalette(indexed[0].getpalette() or [])
    data = drawing.encoded(
        indexed[0], "PNG", save_all=True, append_images=indexed[1:], transparency=3
    )
    rgba = [image.convert("RGBA") for image in indexed]
    for image, flat in zip(indexed, rgba, strict=True):
        flat.putalpha(image.point([0 if level == 3 else 255 for level in range(256)], "L"))
    sheet = drawing.contact_sheet([drawing.on_white(image) for image in rgba])
    yield Case("png palette frames", data, "shown", sheet)
    linear = drawing.picture(drawing.light(drawing.levels(SCENE)))
    bent = apng(SIZE, [Frame(linear), Frame(linear)], extra=gamma(1.0))
    yield Case("png frames of gamma 1.0", bent, "shown", drawing.contact_sheet([SCENE, SCENE]))


def _counted() -> Iterator[Case]:
    """As many frames as are sampled, and more, in every format; the last one is the decoy."""
    for count in (2, 16, 17):
        images = [drawing.scene(SIZE, 10 * number) for number in range(count - 1)]
        images.append(drawing.decoy(SIZE))
        seen = images
        if count > 16:
            seen = [images[number * 16 // 15] for number in range(16)]
        sheet = drawing.contact_sheet(seen)
        outcome: Outcome = "clean" if count <= 16 else "not_assessed"
        frames = [Frame(image) for image in images]
        rest = {"save_all": True, "append_images": images[1:]}
        yield Case(f"gif {count} frames", gif(SIZE, frames), "shown", sheet, outcome)
        yield Case(f"png {count} frames", apng(SIZE, frames), "shown", sheet, outcome)
        yield Case(f"webp {count} frames", webp(SIZE, frames), "shown", sheet, outcome)
        yield Case(f"avif {count} frames", drawing.avif(images[0], **rest), "shown", sheet, outcome)


def _stills_for_others() -> Iterator[Case]:
    """Pictures that some viewers show and others do not."""
    frames = FULL[:2]
    hidden = drawing.decoy(SIZE)
    shown = [drawing.on_white(frame.image) for frame in frames]
    both = drawing.contact_sheet([*shown, hidden])
    yield Case("png still for old viewers", apng(SIZE, frames, still=hidden), "shown", both)
    one = apng(SIZE, frames[:1], still=hidden)
    yield Case("png one frame and a still", one, "shown", drawing.contact_sheet([shown[0], hidden]))
    lying = apng(SIZE, FULL[:3], announced=2)
    three = drawing.contact_sheet([drawing.on_white(frame.image) for frame in FULL[:3]])
    yield Case("png more frames than announced", lying, "shown", three)
    missing = apng(SIZE, frames, announced=4)
    sheet = drawing.contact_sheet(shown)
    yield Case("png fewer frames than announced", missing, "shown", sheet, "not_assessed")
    moving = drawing.avif(SCENE, save_all=True, append_images=[drawing.scene(SIZE, 40)])
    three = drawing.contact_sheet([SCENE, drawing.scene(SIZE, 40), hidden])
    data = with_still(moving, drawing.avif(hidden))
    yield Case("avif still for old viewers", data, "shown", three)
    # An alpha channel that nothing refers to any more is a second picture of the file.
    loose = drawing.avif(drawing.veiled(SIZE)).replace(b"auxl", b"prem")
    yield Case("avif second picture", loose, "shown", SCENE, "not_assessed")


def _multi_picture() -> Iterator[Case]:
    first, second = SCENE, drawing.decoy(SIZE)
    hidden = drawing.photo(second)
    both = multi_picture(drawing.photo(first), [hidden])
    yield Case("jpeg second picture", both, "shown", drawing.contact_sheet([first, second]))
    many = multi_picture(drawing.photo(first), [drawing.photo(first)] * 18 + [hidden])
    sheet = drawing.contact_sheet([first] * 15 + [second])
    yield Case("jpeg twentieth picture", many, "shown", sheet, "not_assessed")
    cut = both[: -len(hidden)]
    yield Case("jpeg index of a picture that was cut", cut, "shown", first, "not_assessed")
    photo = drawing.photo(first)
    index = b"MPF\0MM\0*" + struct.pack(">IHHHII", 8, 1, 0xB001, 4, 1, 3) + bytes(4)
    yield Case("jpeg damaged index", after_start(photo, segment(0xE2, index)), "shown", first)
    yield Case("jpeg behind a jpeg", photo + drawing.photo(second), "shown", first)
    yield Case("jpeg second picture cut", both[:-400], "unreadable")
