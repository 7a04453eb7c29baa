"""The shapes quotes are sent in: one frame is made of each update for each shape, whatever the number of clients."""

from weakref import WeakValueDictionary

from quotewire.wire.codec import EncodedQuote, Form, framing
from quotewire.wire.options import Mode, Options


class Shape:
    """One shape. Made by `shape_of`, which gives the same object for the same shape: compared by identity."""

    __slots__ = ("__weakref__", "_framing", "delta", "fields", "form", "gaps", "latest")

    def __init__(self, form: Form, options: Options, *, gaps: bool) -> None:
        self._framing = framing(form, options.fields)
        self.form = form
        self.fields = options.fields
        self.delta = options.delta
        self.latest = options.mode is Mode.LATEST
        self.gaps = gaps

    def frame(self, update: EncodedQuote, base: EncodedQuote | None) -> bytes:
        """The frame for those who were last sent `base`."""
        if self.delta:
            return frame_of(update, base, self.form, self.fields, delta=True)
        return update.framed(self._framing)


_shapes: "WeakValueDictionary[tuple[Form, tuple[str, ...] | None, bool, bool, bool], Shape]" = WeakValueDictionary()
"""The shapes somebody wants. Clients choose fields as they like: one that nobody wants any more is forgotten."""


def shape_of(form: Form, options: Options, *, gaps: bool) -> Shape:
    """The shape of a subscription; `gaps` when the client takes `gap` messages."""
    key = (form, options.fields, options.delta, options.mode is Mode.LATEST, gaps)
    shape = _shapes.get(key)
    if shape is None:
        shape = _shapes[key] = Shape(form, options, gaps=gaps)
    return shape


def frame_of(
    update: EncodedQuote, base: EncodedQuote | None, form: Form, fields: tuple[str, ...] | None, *, delta: bool
) -> bytes:
    """Frame an update: what changed since `base` where that was asked and there is one of its count, else all of it."""
    if delta and base is not None and base.epoch == update.epoch:
        return update.delta_frame(form, base.quote, fields)
    return update.frame(form, fields)
