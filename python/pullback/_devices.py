"""Kinds of devices."""

import enum

from pullback import _core


class DeviceType(enum.Enum):
    """A kind of device. There is one device of each, to which its kind is equal, and for which it may stand.

    >>> pb.DeviceType.cpu == pb.cpu, pb.cpu.type
    (True, <DeviceType.cpu: 0>)
    >>> pb.ones(2, stream=pb.DeviceType.cpu).sum().item()
    2.0
    """

    cpu = 0
    gpu = 1

    @property
    def _device(self) -> _core.Device:
        """What arguments that name a device look for."""
        return _core.Device(self.name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DeviceType):
            return self is other
        return isinstance(other, _core.Device) and other == self._device

    def __hash__(self) -> int:
        return hash(self._device)
